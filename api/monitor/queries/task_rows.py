"""Jobs and recorded runs as rows of one table: plain values that all who look at the same share."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from api.monitor.format import count, duration
from api.monitor.status_looks import look
from flexiprice.queue.progress import Progress
from flexiprice.queue.status import JobInfo
from flexiprice.runs.query import Run

Row = dict[str, Any]
"""What one row shows, by what it is called in the cells below; made by `task_rows`."""

_LONGEST_ARGUMENTS: Final = 160


def row_of_job(job: JobInfo, arguments: Mapping[str, Any] | None = None) -> Row:
    """A row for a job that has not ended."""
    progress, fraction = "", None
    if job.progress is not None:
        progress, fraction = progress_text(job.progress), progress_made(job.progress)
    return {
        **_signs(job.status.value),
        "id": f"{job.job_id} {job.attempt}",
        "job_id": job.job_id,
        "task": job.task or "?",
        "queue": job.queue.value if job.queue else "",
        "worker": job.worker_id or "",
        "started": _milliseconds(job.started_at),
        # Of what waits only this is known yet.
        "due": _milliseconds(job.due_at),
        "enqueued": _milliseconds(job.enqueued_at),
        "wait": "",
        "ran": "",
        "attempt": job.attempt or "",
        "trigger": job.origin.trigger.value.replace("_", " ") if job.origin.trigger else "",
        "arguments": _compact(arguments),
        "error": job.error.message if job.error else "",
        "progress": progress,
        "fraction": fraction,
        "live": True,
    }


def row_of_run(run: Run) -> Row:
    """A row for a recorded run."""
    return {
        **_signs(run.status.value),
        "id": run.run_id.hex,
        "job_id": run.job_id,
        "task": run.task,
        "queue": run.queue or "",
        "worker": run.worker_id,
        "started": _milliseconds(run.started_at),
        "due": None,
        "enqueued": _milliseconds(run.enqueued_at),
        # What ended without being started neither waited for a start nor ran.
        "wait": _told(run.waited) if run.attempt else "",
        "ran": _told(run.ran) if run.attempt else "",
        "attempt": run.attempt or "",
        "trigger": run.trigger.value.replace("_", " ") if run.trigger else "",
        "arguments": _compact(run.arguments),
        "error": run.error_message or run.error_code or "",
        "progress": "",
        "fraction": None,
        "live": False,
    }


def progress_text(progress: Progress) -> str:
    """How far a job has come, in words."""
    of_total = "" if progress.total is None else f" of {count(progress.total)}"
    return f"{count(progress.done)}{of_total} {progress.message or ''}".rstrip()


def progress_made(progress: Progress) -> float | None:
    """How far a job has come, as a fraction of all; None where it does not say how much there is."""
    return min(1.0, progress.done / progress.total) if progress.total else None


def with_text(rows: Iterable[Row], text: str) -> list[Row]:
    """Those rows that have a text in their arguments or errors, in any case."""
    wanted = text.casefold()
    return [
        row for row in rows if any(wanted in str(row[name]).casefold() for name in ("arguments", "error"))
    ]


def _signs(state: str) -> Row:
    icon, tone = look(state)
    return {"state": state, "word": state.replace("_", " "), "icon": icon, "tone": f"badge tone-{tone}"}


def _compact(arguments: Mapping[str, Any] | None) -> str:
    if not arguments:
        return ""
    text = ", ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in arguments.items()
    )
    return text if len(text) <= _LONGEST_ARGUMENTS else f"{text[:_LONGEST_ARGUMENTS]}…"


def _told(length: timedelta | None) -> str:
    return "" if length is None else duration(length)


def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)
