"""`/`: name and version of the service, and the paths of its parts."""

from importlib.metadata import version

from fastapi import APIRouter, Request

from api.deps import OpenResources
from api.route_class import ProblemRoute
from api.schemas.health import Service
from api.swagger import PATH as DOCS
from api.urls import ADMIN, API, address

router = APIRouter(tags=["health"], route_class=ProblemRoute)


@router.head("/", include_in_schema=False)
@router.get("/")
async def get_service(resources: OpenResources, request: Request) -> Service:
    """Returns name and version, and the paths of documentation, health and API."""
    documented = resources.settings.docs
    return Service(
        name="FlexiPrice",
        version=version("flexiprice"),
        docs=address(request, DOCS) if documented else None,
        openapi=address(request, "/openapi.json") if documented else None,
        live=address(request, f"{API}/health/live"),
        ready=address(request, f"{API}/health/ready"),
        api=address(request, API),
        admin=address(request, ADMIN),
    )
