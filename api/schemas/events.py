"""Models of reports about events, with the same fields as `flexiprice import --kind … --json`."""

from pydantic import ConfigDict, Field

from api.schemas.imports import BadRowOut
from api.schemas.tasks import RepricingOut
from api.schemas.values import ResponseModel


class EventReportOut(ResponseModel):
    """The report of received events: `read` = `recorded` + `ignored` + `set_aside` + `bad`."""

    read: int = Field(description="Events that were read.")
    recorded: int = Field(description="New events.")
    ignored: int = Field(description="Events that were recorded before with the same content.")
    set_aside: int = Field(
        description="Events with the identity of a recorded one and other content; they changed nothing."
    )
    bad: int = Field(description="Events that were refused.")
    bad_rows: list[BadRowOut] = Field(description="The first 1,000 refused events, by line.")
    set_aside_rows: list[BadRowOut] = Field(
        description="The first 1,000 events that were set aside; the reason names the recorded one."
    )
    already_counted: int = Field(
        description="Recorded events that did not move all their stock, because later stock contains them."
    )
    beyond_stock: int = Field(description="Recorded events with units beyond the known stock.")
    moved_batches: int = Field(description="Batches whose quantity changed.")
    columns: dict[str, str] = Field(description="Name in the events for each field.")
    unused_columns: list[str] = Field(description="Names in the events that were ignored.")
    duration_seconds: float = Field(description="Duration in seconds.")


class EventsOut(ResponseModel):
    """The result of received events."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "report": {
                        "read": 3,
                        "recorded": 1,
                        "ignored": 1,
                        "set_aside": 1,
                        "bad": 0,
                        "bad_rows": [],
                        "set_aside_rows": [
                            {
                                "line": 3,
                                "problems": [
                                    {
                                        "column": None,
                                        "reason": "line '17-2' of source 'till-1' is recorded with other "
                                        "content, as event 4711 of 2026-03-31T16:05:00+00:00: it is set "
                                        "aside; a correction needs a line id of its own",
                                    }
                                ],
                            }
                        ],
                        "already_counted": 0,
                        "beyond_stock": 0,
                        "moved_batches": 1,
                        "columns": {"line_id": "line_id", "quantity": "quantity"},
                        "unused_columns": [],
                        "duration_seconds": 0.01,
                    },
                    "repricing": {"status": "queued", "task_id": "0b9f5e3c", "status_url": "/api/v1/…"},
                }
            ]
        }
    )

    report: EventReportOut = Field(description="Report of the events.")
    repricing: RepricingOut
