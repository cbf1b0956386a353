"""`/`: what answers here, and where everything is."""

from importlib.metadata import version

from fastapi import APIRouter, Request

from api.deps import OpenResources
from api.docs_page import PATH as DOCS
from api.paths import ADMIN, API
from api.routes import ApiRoute
from api.schemas.health import Service

router = APIRouter(tags=["health"], route_class=ApiRoute)


@router.get("/")
async def get_service(resources: OpenResources, request: Request) -> Service:
    """Says what this is, and where its documentation, its health and its API are."""
    root = str(request.scope.get("root_path", ""))
    documented = resources.settings.docs
    return Service(
        name="FlexiPrice",
        version=version("flexiprice"),
        docs=f"{root}{DOCS}" if documented else None,
        openapi=f"{root}/openapi.json" if documented else None,
        live=f"{root}{API}/health/live",
        ready=f"{root}{API}/health/ready",
        api=f"{root}{API}",
        admin=f"{root}{ADMIN}",
    )
