"""The sample catalog is plausible: categories, batches, costs, overstock."""

from flexiprice.catalog.sample import SampleProduct, sample_products

PRODUCTS = [product for members in sample_products().values() for product in members]


def test_sample_has_at_least_sixty_products_in_eight_categories() -> None:
    assert len(PRODUCTS) >= 60
    assert len(sample_products()) >= 8
    assert len({product.sku for product in PRODUCTS}) == len(PRODUCTS)


def test_every_product_has_several_batches_none_longer_lived_than_itself() -> None:
    def plausible(product: SampleProduct) -> bool:
        return len(product.batches) >= 2 and all(0 <= days <= product.keeps_days for days in product.batches)

    assert [product.sku for product in PRODUCTS if not plausible(product)] == []


def test_every_product_is_sold_above_its_cost() -> None:
    assert [product.sku for product in PRODUCTS if product.cost >= product.price] == []


def test_sample_has_overstock_near_its_expiry() -> None:
    overstocked = [
        product
        for product in PRODUCTS
        if any(days <= 3 and quantity >= 50 for days, quantity in product.batches.items())
    ]
    assert len(overstocked) >= 10
