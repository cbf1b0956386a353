"""Converts jobs and recorded runs to rows of the task table, as plain values that can be cached."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from api.monitor.format import count, duration
from api.monitor.status_style import status_style
from flexiprice.queue.progress import Progress
from flexiprice.queue.status import JobInfo
from flexiprice.runs.query import Run

Row = dict[str, Any]
"""Values of a row by the names that the cells of `task_table` use."""

_LONGEST_ARGUMENTS: Final = 160


def row_of_job(job: JobInfo, arguments: Mapping[str, Any] | None = None) -> Row:
    """Returns the row of a job that has not ended."""
    progress, fraction = "", None
    if job.progress is not None:
        progress, fraction = progress_text(job.progress), progress_made(job.progress)
    return {
        **_status_cells(job.status.value),
        "id": f"{job.job_id} {job.attempt}",
        "job_id": job.job_id,
        "task": job.task or "?",
        "queue": job.queue.value if job.queue else "",
        "worker": job.worker_id or "",
        "started": _milliseconds(job.started_at),
        # Shown for jobs that have not started.
        "due": _milliseconds(job.due_at),
        "enqueued": _milliseconds(job.enqueued_at),
        "wait": "",
        "ran": "",
        "attempt": job.attempt or "",
        "trigger": job.source.trigger.value.replace("_", " ") if job.source.trigger else "",
        "arguments": _compact(arguments),
        "error": job.error.message if job.error else "",
        "progress": progress,
        "fraction": fraction,
        "live": True,
    }


def row_of_run(run: Run) -> Row:
    """Returns the row of a recorded run."""
    return {
        **_status_cells(run.status.value),
        "id": run.run_id.hex,
        "job_id": run.job_id,
        "task": run.task,
        "queue": run.queue or "",
        "worker": run.worker_id,
        "started": _milliseconds(run.started_at),
        "due": None,
        "enqueued": _milliseconds(run.enqueued_at),
        # A job that ended without a start has neither wait nor run time.
        "wait": _format_optional(run.waited) if run.attempt else "",
        "ran": _format_optional(run.ran) if run.attempt else "",
        "attempt": run.attempt or "",
        "trigger": run.trigger.value.replace("_", " ") if run.trigger else "",
        "arguments": _compact(run.arguments),
        "error": run.error_message or run.error_code or "",
        "progress": "",
        "fraction": None,
        "live": False,
    }


def progress_text(progress: Progress) -> str:
    """Formats a job's progress as text."""
    of_total = "" if progress.total is None else f" of {count(progress.total)}"
    return f"{count(progress.done)}{of_total} {progress.message or ''}".rstrip()


def progress_made(progress: Progress) -> float | None:
    """Returns a job's progress as a fraction; None if its total is unknown."""
    return min(1.0, progress.done / progress.total) if progress.total else None


def with_text(rows: Iterable[Row], text: str) -> list[Row]:
    """Returns the rows that contain a text in arguments or error, ignoring case."""
    wanted = text.casefold()
    return [
        row for row in rows if any(wanted in str(row[name]).casefold() for name in ("arguments", "error"))
    ]


def _status_cells(status: str) -> Row:
    icon, tone = status_style(status)
    return {"status": status, "word": status.replace("_", " "), "icon": icon, "tone": f"badge tone-{tone}"}


def _compact(arguments: Mapping[str, Any] | None) -> str:
    if not arguments:
        return ""
    text = ", ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in arguments.items()
    )
    return text if len(text) <= _LONGEST_ARGUMENTS else f"{text[:_LONGEST_ARGUMENTS]}…"


def _format_optional(length: timedelta | None) -> str:
    return "" if length is None else duration(length)


def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)
