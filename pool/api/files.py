"""/v1/files: where this pool's workers get model files. The pool carries none itself: it names the operator's file server."""

import re

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import empty

from pool.api.desk import Desk
from pool.errors import NotFound

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[\w][\w.-]{0,200}\.gguf", re.ASCII)


def routes(desk: Desk) -> Blueprint:
    """One route; without a file server it has nothing."""
    base = desk.settings.files_url.rstrip("/")

    async def file(_request: Request, sha256: str, name: str) -> HTTPResponse:
        if not base or not _SHA256.fullmatch(sha256) or not _NAME.fullmatch(name):
            raise NotFound("this pool has no such file")
        return empty(307, headers={"location": f"{base}/{sha256}/{name}"})

    blueprint = Blueprint("files")
    blueprint.add_route(file, "/v1/files/<sha256:str>/<name:str>", methods=["GET", "HEAD"], ignore_body=True)
    return blueprint
