"""Whether the service lives, and whether it can do its work."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


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
