"""The HTTP door: FastAPI routers, schemas and problems."""
