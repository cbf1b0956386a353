"""Serves Swagger UI at `/docs`, from files of this server."""

import json
from typing import Final

from fastapi import FastAPI, Request, Response
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from api.urls import address

PATH: Final = "/docs"
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>FlexiPrice API</title>
<link rel="icon" type="image/png" href="{root}/docs/files/favicon-32x32.png">
<link rel="stylesheet" href="{root}/docs/files/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="{root}/docs/files/swagger-ui-bundle.js"></script>
<script src="{root}/docs/start.js"></script>
</body>
</html>
"""
# An entered key is not persisted beyond the page.
_START: Final = """SwaggerUIBundle({
  url: %s,
  dom_id: "#page",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
# Swagger UI sets inline styles; scripts and requests are limited to this server.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def add_docs(app: FastAPI) -> None:
    """Adds the page and the files of Swagger UI, which come from a wheel."""

    async def page(request: Request) -> Response:
        root = address(request, "")
        return HTMLResponse(_PAGE.format(root=root), headers={"Content-Security-Policy": _POLICY})

    async def start(request: Request) -> Response:
        url = json.dumps(address(request, str(app.openapi_url)))
        return Response(_START % url, media_type="text/javascript")

    app.add_api_route(PATH, page, include_in_schema=False)
    app.add_api_route(f"{PATH}/start.js", start, include_in_schema=False)
    files = StaticFiles(packages=[("fastapi_swagger", "resources")])
    app.mount(f"{PATH}/files", files, name="docs_files")
