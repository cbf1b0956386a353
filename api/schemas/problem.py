"""Models of problems (RFC 9457)."""

from pydantic import BaseModel, ConfigDict, Field


class FieldError(BaseModel):
    """One invalid value."""

    line: int | None = Field(default=None, description="Line of an upload, from 1.")
    field: str | None = Field(default=None, description="Name of the field, or path to it.")
    reason: str


class Problem(BaseModel):
    """An error by RFC 9457; programs should use `code`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "code": "invalid_input",
                    "detail": "days_threshold: must be at most 365",
                    "request_id": "6f1d0c0f5a7e4c0d9c1f3b1a2e4d5c6b",
                    "errors": [{"field": "days_threshold", "reason": "must be at most 365"}],
                }
            ]
        }
    )

    type: str = Field(default="about:blank", description="Always `about:blank`; use `code` instead.")
    title: str = Field(description="Phrase of the HTTP status.")
    status: int = Field(description="HTTP status.")
    code: str = Field(description="Stable code of the error, for programs.")
    detail: str = Field(description="Explanation for people, with a remedy.")
    request_id: str | None = Field(default=None, description="Id of the request in the server's log.")
    errors: list[FieldError] | None = Field(default=None, description="All invalid values, if there are any.")
