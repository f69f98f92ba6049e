"""Refusals: every error of the server is one sentence, ``{"detail": "…"}``.

It says what happened, what was expected, and how to mend it; `responses` names them for the OpenAPI
document.
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from metamapping.serving.messages import Problem
from metamapping.serving.registry import DamagedTaskError, NoSuchTaskError, TooManyTasksError
from metamapping.serving.service import LoadingError

_MEANINGS = {
    400: "The body cannot be read.",
    401: "No API key, or a wrong one.",
    403: "The request means another host.",
    404: "There is no such task.",
    409: "The task on disk is damaged, or the server holds as many tasks as it may.",
    413: "The body is too large.",
    422: "The request does not say what can be done.",
    503: "The encoder is still loading.",
    507: "The task could not be written to disk.",
}
_STATUS: dict[type[Exception], int] = {
    NoSuchTaskError: 404,
    DamagedTaskError: 409,
    TooManyTasksError: 409,
    LoadingError: 503,
}


# In the places that pydantic names: the whole, and the kinds among which it tried to find a value's.
_NO_PLACE = ("body", "str", "constrained-str", "list[str]", "list[constrained-str]")


class RefusedError(ValueError):
    """What a request asks cannot be done."""


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These statuses as the OpenAPI document shows them."""
    return {status: {"model": Problem, "description": _MEANINGS[status]} for status in statuses}


def say_refusals(app: FastAPI) -> None:
    """Answer the errors of tasks and requests with their sentences."""

    async def validation(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return _problem(422, _sentence(error.errors()))

    async def known(request: Request, error: Exception) -> JSONResponse:
        status = _STATUS[type(error)]
        return _problem(status, str(error), {"Retry-After": "5"} if status == 503 else None)

    async def unknown(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        detail = str(error.detail)
        if error.status_code in (404, 405) and detail == HTTPStatus(error.status_code).phrase:
            detail = f"there is no {request.method} {request.url.path!r:.120}: /docs shows the endpoints"
        return _problem(error.status_code, detail, error.headers)

    async def refused(request: Request, error: Exception) -> JSONResponse:
        return _problem(422, str(error))

    async def disk(request: Request, error: Exception) -> JSONResponse:
        return _problem(507, f"the task could not be written ({error}): make room on the server's disk")

    async def broken(request: Request, error: Exception) -> JSONResponse:
        return _problem(500, "the server broke on this request: its log has the reason; please report it")

    app.add_exception_handler(Exception, broken)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(HTTPException, unknown)
    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(OSError, disk)
    for kind in _STATUS:
        app.add_exception_handler(kind, known)


def _problem(status: int, detail: str, headers: Map[str, str] | None = None) -> JSONResponse:
    # A text may hold half of a surrogate pair, which UTF-8 has no bytes for.
    detail = detail.encode("utf-8", "replace").decode()
    return JSONResponse({"detail": detail}, status, headers)


def _sentence(errors: Sequence[Any]) -> str:
    """The first of pydantic's errors, with its place and value."""
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"] if part not in _NO_PLACE) or "the body"
    more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
    if first["type"] == "json_invalid":
        return f"the body is no JSON ({first['ctx']['error']} at character {place}): mend it"
    if place == "path.name":
        return (
            f"task name {first['input']!r:.120}: expected 1 to 100 letters, digits and . _ -, beginning with "
            "a letter or digit; choose another name"
        )
    if first["type"] == "missing":
        return f"{place} is missing{more}: /docs shows what a request has"
    return f"{place} is {first['input']!r:.60}: {first['msg']}{more}; /docs shows what a request has"
