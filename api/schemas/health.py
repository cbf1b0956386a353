"""Whether the service lives, and whether it can do its work."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Service(BaseModel):
    """What answers here; addresses are paths on the same host."""

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
    version: str = Field(description="Its version.")
    docs: str | None = Field(description="The documentation for people; null where it is switched off.")
    openapi: str | None = Field(description="The description for programs; null where it is switched off.")
    live: str = Field(description="Whether the process answers.")
    ready: str = Field(description="Whether everything that it needs is there.")
    api: str = Field(description="Under which all of the API is.")
    admin: str = Field(description="Under which everything is that needs a key.")


class Liveness(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "alive"}]})

    status: str = "alive"


class ReadinessStatus(StrEnum):
    """Whether everything that is needed is there."""

    READY = "ready"
    NOT_READY = "not_ready"


class Check(BaseModel):
    """One thing that is needed: whether it is there, and what to do where it is not."""

    ok: bool = Field(description="Whether it is there.")
    detail: str = Field(description="What was found, and what to do where it is not there.")


class Readiness(BaseModel):
    """Everything that is needed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "not_ready",
                    "checks": {
                        "database": {"ok": True, "detail": "PostgreSQL answers"},
                        "writes": {"ok": True, "detail": "PostgreSQL takes writes"},
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
