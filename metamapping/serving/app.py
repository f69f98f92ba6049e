"""App: the endpoints.

    app = build_app(service, key=None)            # an ASGI application

An endpoint that may encode is a plain function, which runs in a thread of its own; those that only look
are coroutines, and answer while all threads wait for the encoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, FastAPI, Path, Request, Response

from metamapping import __version__
from metamapping.serving.access import require_access
from metamapping.serving.limits import BodyLimit, Limits
from metamapping.serving.messages import (
    Example,
    Health,
    MoreExamples,
    NewTask,
    Predictions,
    Task,
    Tasks,
    TextsToLabel,
    ZeroShot,
)
from metamapping.serving.metrics import CountRequests
from metamapping.serving.refusals import RefusedError, responses, say_refusals
from metamapping.serving.registry import NAME_PATTERN
from metamapping.serving.service import Loaded, Service

if TYPE_CHECKING:
    from metamapping import Mapping

_DIGITS = 6  # of a probability: float32 has no more


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _loaded(request: Request) -> Loaded:
    return (await _service(request)).ready()


Name = Annotated[str, Path(pattern=NAME_PATTERN, examples=["orders"])]
Serving = Annotated[Service, Depends(_service)]
Ready = Annotated[Loaded, Depends(_loaded)]

health = APIRouter()
router = APIRouter(dependencies=[Depends(require_access)], responses=responses(401, 403))


def build_app(service: Service, *, key: str | None) -> FastAPI:
    """The application. ``key``: what requests must show; ``None`` on a server for this machine alone."""
    app = FastAPI(
        title="metamapping",
        version=__version__,
        description="Tasks of a few labelled examples: adapt, predict, add, delete. No gradient is taken.",
    )
    app.state.service, app.state.key = service, key
    app.include_router(health)
    app.include_router(router)
    app.add_middleware(BodyLimit, max_bytes=service.limits.body_bytes)
    app.add_middleware(CountRequests, metrics=service.metrics)
    say_refusals(app)
    return app


@health.get("/health", responses={503: {"model": Health, "description": "The encoder is still loading."}})
async def read_health(service: Serving, response: Response) -> Health:
    """Say whether requests can be answered. Any answer at all means that the server lives."""
    if service.is_ready:
        return Health(status="ready")
    response.status_code = 503
    return Health(status="loading")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def read_metrics(service: Serving) -> Response:
    """Count requests, latencies, encoded texts and tasks, for Prometheus."""
    return Response(service.metrics.text(), media_type="text/plain; version=1.0.0")


@router.get("/tasks", responses=responses(503))
async def list_tasks(loaded: Ready) -> Tasks:
    """Name all tasks, and those on disk that cannot be read."""
    tasks = loaded.tasks
    return Tasks(tasks=[_task(name, mapping) for name, mapping in tasks.items()], damaged=dict(tasks.damaged))


@router.get("/tasks/{name}", responses=responses(404, 409, 422, 503))
async def read_task(name: Name, loaded: Ready) -> Task:
    """Describe a task."""
    return _task(name, loaded.tasks.get(name))


@router.put(
    "/tasks/{name}",
    responses={
        201: {"model": Task, "description": "The task is new."},
        **responses(400, 409, 413, 422, 503, 507),
    },
)
def adapt(name: Name, new: NewTask, service: Serving, loaded: Ready, response: Response) -> Task:
    """Adapt to a task's examples and keep it, in place of the task that had the name."""
    with _refused():
        service.limits.check_examples(len(new.examples), _all_texts(new.examples))
        mapping = loaded.mapper.adapt(
            *_columns(new.examples),
            text_pairs=_pairs(new.examples),
            label_names=new.label_names,
            task_type=new.task_type,
        )
        is_new = loaded.tasks.put(name, mapping)
    response.status_code = 201 if is_new else 200
    return _task(name, mapping)


@router.post("/tasks/{name}/examples", responses=responses(400, 404, 409, 413, 422, 503, 507))
def add_examples(name: Name, more: MoreExamples, service: Serving, loaded: Ready) -> Task:
    """Learn from more examples, as if they had been there from the start."""

    def learn(mapping: Mapping) -> None:
        num_examples = mapping.num_examples + len(more.examples)
        service.limits.check_examples(num_examples, _all_texts(more.examples))
        pairs = _pairs(more.examples)
        mapping.add(*_columns(more.examples), text_pairs=pairs, label_names=more.label_names)

    with _refused():
        mapping = loaded.tasks.change(name, learn)
    return _task(name, mapping)


@router.delete("/tasks/{name}", status_code=204, responses=responses(404, 422, 503, 507))
def delete_task(name: Name, loaded: Ready) -> None:
    """Forget a task."""
    loaded.tasks.delete(name)


@router.post("/tasks/{name}/predict", responses=responses(400, 404, 409, 413, 422, 503))
def predict(name: Name, wanted: TextsToLabel, service: Serving, loaded: Ready) -> Predictions:
    """Label texts."""
    mapping = loaded.tasks.get(name)
    with _refused():
        return _predictions(mapping, wanted, service.limits, loaded)


@router.post("/zero-shot", responses=responses(400, 413, 422, 503))
def zero_shot(wanted: ZeroShot, service: Serving, loaded: Ready) -> Predictions:
    """Label texts with labels of which only the names are known. Nothing is kept."""
    with _refused():
        service.limits.check_examples(len(wanted.labels), [*wanted.labels, *wanted.label_names.values()])
        mapping = loaded.mapper.zero_shot(
            wanted.labels, label_names=wanted.label_names, task_type=wanted.task_type
        )
        return _predictions(mapping, wanted, service.limits, loaded)


def _predictions(
    mapping: Mapping, wanted: TextsToLabel | ZeroShot, limits: Limits, loaded: Loaded
) -> Predictions:
    limits.check_texts(wanted.texts, wanted.text_pairs)
    if mapping.task_type == "ner" and wanted.text_pairs is not None:
        raise ValueError("ner takes no text_pairs: leave them out")
    texts, pairs = wanted.texts, wanted.text_pairs
    with loaded.passes.remembering():
        predictions = Predictions(
            predictions=mapping.predict(texts, text_pairs=pairs, threshold=wanted.threshold),
            labels=list(mapping.labels),
        )
        if wanted.probabilities:
            rows = mapping.predict_proba(texts, text_pairs=pairs)
            predictions.probabilities = [_rounded(row) for row in rows]
            if mapping.task_type != "ner":
                predictions.confidences = _rounded(mapping.confidence(texts, text_pairs=pairs))
    return predictions


@contextmanager
def _refused() -> Iterator[None]:
    """What the library refuses is the request's fault; any other ``ValueError`` is ours."""
    try:
        yield
    except ValueError as error:
        raise RefusedError(str(error)) from error


def _task(name: str, mapping: Mapping) -> Task:
    return Task(
        name=name,
        task_type=mapping.task_type,
        labels=list(mapping.labels),
        num_examples=mapping.num_examples,
    )


def _columns(examples: Sequence[Example]) -> tuple[list[Any], list[Any]]:
    return [example.text for example in examples], [example.label for example in examples]


def _pairs(examples: Sequence[Example]) -> list[str] | None:
    pairs = [example.text_pair for example in examples if example.text_pair is not None]
    if pairs and len(pairs) < len(examples):
        without = next(i for i, example in enumerate(examples) if example.text_pair is None)
        raise ValueError(f"example {without} has no text_pair, but others have: give all one, or none")
    return pairs or None


def _all_texts(examples: Sequence[Example]) -> Iterator[str | list[str]]:
    for example in examples:
        yield example.text
        yield example.label
        yield example.text_pair or ""


def _rounded(probabilities: Any) -> Any:
    return np.round(np.asarray(probabilities, np.float64), _DIGITS).tolist()
