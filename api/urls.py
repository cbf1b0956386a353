"""Where things are."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request

API: Final = "/api/v1"
ADMIN: Final = f"{API}/admin"


def route_path(scope: Mapping[str, Any]) -> str:
    """The path of an ASGI scope as routes know it: without the prefix under which a proxy serves us."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    if root and (path == root or path.startswith(f"{root}/")):
        return path[len(root) :] or "/"
    return path


def address(request: Request, path: str) -> str:
    """Where a route is for the client, as a path on the same host."""
    return f"{request.scope.get('root_path', '')}{path}"


def status_url(request: Request, task_id: str) -> str:
    """Where a task's status is, as a path on the same host."""
    return address(request, f"{ADMIN}/discounts/task-status/{quote(task_id, safe='')}")
