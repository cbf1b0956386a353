"""Builds paths of the API, with the URL prefix of a reverse proxy."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request

API: Final = "/api/v1"
ADMIN: Final = f"{API}/admin"
PROBES: Final = ("/metrics", f"{API}/health/")
"""Paths that are asked so often that metrics and traces leave them out."""


def route_path(scope: Mapping[str, Any]) -> str:
    """Returns the path of an ASGI scope without the URL prefix, as routes match it."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    if root and (path == root or path.startswith(f"{root}/")):
        return path[len(root) :] or "/"
    return path


def address(request: Request, path: str) -> str:
    """Returns the client's path of a route on the same host, with the URL prefix."""
    return f"{request.scope.get('root_path', '')}{path}"


def status_url(request: Request, task_id: str) -> str:
    """Returns the client's path of a task's status on the same host."""
    return address(request, f"{ADMIN}/discounts/task-status/{quote(task_id, safe='')}")
