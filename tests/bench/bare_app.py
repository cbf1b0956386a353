"""The API with one endpoint more, which does nothing: what a request costs before any work is done."""

from fastapi import FastAPI

from api.main import create_app


def app() -> FastAPI:
    """The application, as uvicorn's `--factory` makes it."""
    application = create_app()

    @application.get("/bare")
    async def bare() -> dict[str, str]:
        return {"status": "ok"}

    return application
