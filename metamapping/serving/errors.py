"""Error responses: every error of the server is one sentence, ``{"detail": "…"}``.

The sentence says what happened, what was expected, and how to fix it. ``error_responses`` documents the
statuses of an endpoint in the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from metamapping.errors import MissingExtraError
from metamapping.serving.messages import Problem
from metamapping.serving.registry import DamagedTaskError, NoSuchTaskError, TooManyTasksError
from metamapping.serving.service import LoadingError
from metamapping.serving.tuning_jobs import JobExistsError, NoSuchJobError, TooManyJobsError

_DESCRIPTIONS = {
    400: "The body cannot be read.",
    401: "The API key is missing or wrong.",
    403: "The request names a foreign host.",
    404: "The task or the job does not exist.",
    409: "The task on disk is damaged, is being tuned already, or the server has reached its limit of tasks.",
    413: "The body is too large.",
    422: "The request is invalid.",
    429: "The server has reached its limit of jobs.",
    501: "The server was installed without TensorFlow, which tuning needs.",
    503: "The encoder is still loading.",
    507: "The task could not be written to disk.",
}
_STATUS: dict[type[Exception], int] = {
    NoSuchTaskError: 404,
    DamagedTaskError: 409,
    TooManyTasksError: 409,
    NoSuchJobError: 404,
    JobExistsError: 409,
    TooManyJobsError: 429,
    MissingExtraError: 501,
    LoadingError: 503,
}
_RETRY_AFTER = {429: "30", 503: "5"}


# Parts of pydantic's error locations that tell a user nothing: the body, and the members of a union type.
_IGNORED_LOCATIONS = (
    "body",
    "str",
    "constrained-str",
    "list[str]",
    "list[constrained-str]",
    "constrained-float",
    "literal['auto']",
    "WantedPrecision",
)


class InvalidRequestError(ValueError):
    """A well-formed request asks for something that cannot be done."""


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documentation of these statuses, for FastAPI's ``responses``."""
    return {status: {"model": Problem, "description": _DESCRIPTIONS[status]} for status in statuses}


def add_error_handlers(app: FastAPI) -> None:
    """Let an application answer every exception with one sentence.

    Args:
        app: The application, which is changed in place.
    """

    async def validation(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return _problem(422, _sentence(error.errors()))

    async def known(request: Request, error: Exception) -> JSONResponse:
        status = _STATUS[type(error)]
        retry = _RETRY_AFTER.get(status)
        return _problem(status, str(error), None if retry is None else {"Retry-After": retry})

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        detail = str(error.detail)
        if error.status_code in (404, 405) and detail == HTTPStatus(error.status_code).phrase:
            detail = f"there is no {request.method} {request.url.path!r:.120}: /docs lists the endpoints"
        return _problem(error.status_code, detail, error.headers)

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        return _problem(422, str(error))

    async def disk(request: Request, error: Exception) -> JSONResponse:
        return _problem(507, f"the task could not be written ({error}): free some space on the server's disk")

    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        return _problem(
            500, "the server failed on this request: its log contains the reason; please report it"
        )

    app.add_exception_handler(Exception, unexpected)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(InvalidRequestError, invalid)
    app.add_exception_handler(OSError, disk)
    for kind in _STATUS:
        app.add_exception_handler(kind, known)


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    # A text may contain half of a surrogate pair, which cannot be encoded as UTF-8.
    detail = detail.encode("utf-8", "replace").decode()
    return JSONResponse({"detail": detail}, status, headers)


def _sentence(errors: Sequence[Any]) -> str:
    """The first of pydantic's errors, with its location and value."""
    first = errors[0]
    location = ".".join(str(part) for part in first["loc"] if part not in _IGNORED_LOCATIONS) or "the body"
    more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
    if first["type"] == "json_invalid":
        return f"the body is not valid JSON ({first['ctx']['error']} at character {location}): fix it"
    if location == "path.name":
        return (
            f"task name {first['input']!r:.120}: expected 1 to 100 letters, digits and . _ -, beginning with "
            "a letter or digit; choose another name"
        )
    if first["type"] == "missing":
        return f"{location} is missing{more}: /docs describes the requests"
    message = first["msg"].removeprefix("Value error, ")
    if not message.startswith(f"{location} is "):
        message = f"{location} is {first['input']!r:.60}: {message}"
    return f"{message}{more}; /docs describes the requests"
