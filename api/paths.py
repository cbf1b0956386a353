"""Where things are."""

from typing import Final
from urllib.parse import quote

from starlette.requests import Request

API: Final = "/api/v1"
ADMIN: Final = f"{API}/admin"


def status_url(request: Request, task_id: str) -> str:
    """Where a task's status is, as a path on the same host."""
    root = request.scope.get("root_path", "")
    return f"{root}{ADMIN}/discounts/task-status/{quote(task_id, safe='')}"
