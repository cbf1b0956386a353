"""What an error looks like."""

from pydantic import BaseModel, ConfigDict, Field


class FieldError(BaseModel):
    """One value that cannot be used."""

    line: int | None = Field(default=None, description="In uploads of many lines: which one, from 1.")
    field: str | None = Field(default=None, description="Where the value stands: a field, or a path to it.")
    reason: str


class Problem(BaseModel):
    """An error, as RFC 9457 has it; `code` is what programs should look at."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "code": "invalid_input",
                    "detail": "days_threshold: Input should be less than or equal to 365",
                    "request_id": "6f1d0c0f5a7e4c0d9c1f3b1a2e4d5c6b",
                    "errors": [
                        {"field": "days_threshold", "reason": "Input should be less than or equal to 365"}
                    ],
                }
            ]
        }
    )

    type: str = Field(default="about:blank", description="Always `about:blank`: `code` says which it is.")
    title: str = Field(description="The phrase of the HTTP status.")
    status: int = Field(description="The HTTP status.")
    code: str = Field(description="For programs: which of the known errors it is.")
    detail: str = Field(description="For people: what is wrong, and what to do.")
    request_id: str | None = Field(default=None, description="By which the server's log knows the request.")
    errors: list[FieldError] | None = Field(
        default=None, description="Every value at fault, where it is that."
    )
