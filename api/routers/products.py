"""`/admin/products`: lists, creates, changes and deletes products."""

from typing import Annotated, cast
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response

from api.deps import CategoryFilter, SkuPath, Transaction, read_as_of
from api.openapi import problems
from api.paging import BY_SKU, ChangedSince, ChangePage, Cursor, Limit, change_page
from api.reprice_after_commit import MAX_NAMED_BATCHES, NOT_NEEDED, Reprice
from api.route_class import ProblemRoute
from api.schemas.catalogue import ChangedProductOut, ProductCreate, ProductOut, ProductUpdate
from api.urls import ADMIN, address
from flexiprice.catalog import products
from flexiprice.domain.catalog import ProductName

router = APIRouter(prefix="/products", tags=["products"], route_class=ProblemRoute)

Search = Annotated[
    ProductName | None,
    Query(
        description="Limits the list to products whose SKU or name contains this, in any case, or that have "
        "this GTIN."
    ),
]


@router.get("", responses=problems(401, 503))
async def list_products(
    transaction: Transaction,
    category: CategoryFilter = None,
    search: Search = None,
    changed_since: ChangedSince = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> ChangePage[ProductOut]:
    """Lists products by SKU."""
    async with transaction() as session:
        as_of = await read_as_of(session, cursor)
        found = await products.list_products(
            session,
            category=category,
            search=search,
            changed_since=changed_since,
            after=BY_SKU.read(cursor),
            limit=limit + 1,
        )
    page = BY_SKU.page(found, limit, item=ProductOut.of, place=lambda product: product.sku)
    return change_page(page, as_of)


@router.post("", status_code=201, responses=problems(401, 409, 503))
async def create_product(
    transaction: Transaction, request: Request, response: Response, body: ProductCreate
) -> ProductOut:
    """Creates a product."""
    async with transaction() as session:
        product = await products.create_product(
            session,
            sku=body.sku,
            name=body.name,
            category=body.category,
            base_price=body.base_price,
            unit_cost=body.unit_cost,
            unit=body.unit,
            gtins=body.gtins,
        )
    response.headers["Location"] = address(request, f"{ADMIN}/products/{quote(product.sku, safe='')}")
    return ProductOut.of(product)


# A SKU may contain a slash.
@router.get("/{sku:path}", responses=problems(401, 404, 503))
async def get_product(transaction: Transaction, sku: SkuPath) -> ProductOut:
    """Reads a product."""
    async with transaction() as session:
        return ProductOut.of(await products.get_product(session, sku))


@router.patch("/{sku:path}", responses=problems(401, 404, 409, 503))
async def change_product(
    transaction: Transaction, reprice: Reprice, sku: SkuPath, body: ProductUpdate
) -> ChangedProductOut:
    """Changes a product, and enqueues the repricing of its batches if prices may change."""
    changes = cast("products.ProductChanges", body.model_dump(exclude_unset=True))
    async with transaction() as session:
        change = await products.change_product(session, sku, changes)
        affected = (
            await products.find_priced_batches(session, change.product.sku, limit=MAX_NAMED_BATCHES + 1)
            if change.affects_prices
            else ()
        )
    repricing = await reprice.reprice(affected) if affected else NOT_NEEDED
    return ChangedProductOut(**ProductOut.of(change.product).model_dump(), repricing=repricing)


@router.delete("/{sku:path}", status_code=204, responses=problems(401, 404, 409, 503))
async def delete_product(transaction: Transaction, sku: SkuPath) -> None:
    """Deletes a product that has no batches and no price history."""
    async with transaction() as session:
        await products.delete_product(session, sku)
