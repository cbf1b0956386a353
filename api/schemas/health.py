"""Models of the service, its liveness and its readiness."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Service(BaseModel):
    """Name, version and paths of the service; paths are on the same host."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "FlexiPrice",
                    "version": "0.1.0",
                    "docs": "/docs",
                    "openapi": "/openapi.json",
                    "live": "/api/v1/health/live",
                    "ready": "/api/v1/health/ready",
                    "api": "/api/v1",
                    "admin": "/api/v1/admin",
                }
            ]
        }
    )

    name: str = Field(description="Name of the product.")
    version: str = Field(description="Version of the product.")
    docs: str | None = Field(description="Path of the documentation; null if it is disabled.")
    openapi: str | None = Field(description="Path of the OpenAPI document; null if it is disabled.")
    live: str = Field(description="Path of liveness.")
    ready: str = Field(description="Path of readiness.")
    api: str = Field(description="Prefix of all operations.")
    admin: str = Field(description="Prefix of all operations that require a key.")


class Liveness(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "alive"}]})

    status: str = "alive"


class ReadinessStatus(StrEnum):
    """Whether all dependencies are ready."""

    READY = "ready"
    NOT_READY = "not_ready"


class Check(BaseModel):
    """The check of one dependency."""

    ok: bool = Field(description="Whether the dependency is ready.")
    detail: str = Field(description="Result of the check, with a remedy if it failed.")


class Readiness(BaseModel):
    """The checks of all dependencies."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "not_ready",
                    "checks": {
                        "database": {"ok": True, "detail": "PostgreSQL answers"},
                        "writes": {"ok": True, "detail": "PostgreSQL accepts writes"},
                        "migrations": {"ok": True, "detail": "the schema is up to date"},
                        "redis": {"ok": True, "detail": "Redis answers"},
                        "worker": {"ok": False, "detail": "no worker lives: start one, `flexiprice worker`"},
                    },
                }
            ]
        }
    )

    status: ReadinessStatus
    checks: dict[str, Check]
