"""Addresses of tasks."""

from urllib.parse import quote


def link_to_task(job_id: str) -> str:
    """The address of a task's own page."""
    return f"/tasks/{quote(job_id, safe='')}"
