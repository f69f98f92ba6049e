"""The endpoints of the server.

    app = build_app(service, key=None)            # an ASGI application

An endpoint that encodes texts is a plain function, which FastAPI runs in a thread. Endpoints that only read
are coroutines, so that they respond while all threads wait for the encoder. So is the one for predictions,
whose requests wait for the encoder without a thread each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, cast

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from metamapping import __version__
from metamapping.adaptation.inputs.inputs import read_texts
from metamapping.serving.access import RequireAccess, describe_access
from metamapping.serving.conversions import (
    all_texts,
    entity_message,
    example_columns,
    job_message,
    pairs_of,
    prediction_message,
    rounded,
    task_message,
)
from metamapping.serving.errors import InvalidRequestError, add_error_handlers, error_responses
from metamapping.serving.limits import BodyLimit, Limits
from metamapping.serving.messages import (
    ChangedTask,
    Health,
    MoreExamples,
    NewTask,
    Pool,
    Predictions,
    Suggested,
    Suggestions,
    Task,
    Tasks,
    TextsToLabel,
    TuneTask,
    TuningJob,
    TuningJobs,
    ZeroShot,
)
from metamapping.serving.metrics import CountRequests
from metamapping.serving.patience import BodyDeadline
from metamapping.serving.questions import (
    CrossValidated,
    LabelledTexts,
    Suspicious,
    Wrong,
    cross_validated,
    suspicious,
    wrong,
)
from metamapping.serving.registry import NAME_PATTERN
from metamapping.serving.service import Loaded, Service

if TYPE_CHECKING:  # it imports TensorFlow
    from metamapping import Mapping
    from metamapping.serving.batching import BatchingFeaturizer


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _loaded(request: Request) -> Loaded:
    return (await _service(request)).loaded()


Name = Annotated[str, Path(pattern=NAME_PATTERN, examples=["orders"])]
Serving = Annotated[Service, Depends(_service)]
Ready = Annotated[Loaded, Depends(_loaded)]

health = APIRouter()
router = APIRouter(dependencies=[Depends(describe_access)], responses=error_responses(401, 403))


def build_app(service: Service, *, key: str | None) -> FastAPI:
    """Build the application.

    Args:
        service: The service; it may still be loading.
        key: API key that requests must send; ``None`` for a server that accepts local requests only.
    """
    app = FastAPI(
        title="metamapping",
        version=__version__,
        description="Tasks defined by a few labelled examples: adapt, predict, add, delete. No training.",
    )
    app.state.service, app.state.key = service, key
    app.include_router(health)
    app.include_router(router)
    app.add_middleware(BodyLimit, max_bytes=service.limits.body_bytes)
    app.add_middleware(BodyDeadline)
    app.add_middleware(RequireAccess, key=key)
    app.add_middleware(CountRequests, metrics=service.metrics)
    add_error_handlers(app)
    return app


@health.get("/health", responses={503: {"model": Health, "description": "The encoder is still loading."}})
async def read_health(service: Serving, response: Response) -> Health:
    """Report whether the encoder is loaded. Any response means that the server is alive."""
    if service.is_loaded:
        return Health(status="ready")
    response.status_code = 503
    return Health(status="loading")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def read_metrics(service: Serving) -> Response:
    """Report requests, latencies, encoded texts, tasks and their drift, for Prometheus."""
    return Response(service.metrics.text(), media_type="text/plain; version=1.0.0")


@router.get("/tasks", responses=error_responses(503))
async def list_tasks(loaded: Ready) -> Tasks:
    """List all tasks, and those on disk that cannot be read."""
    tasks = loaded.tasks
    return Tasks(
        tasks=[task_message(name, mapping) for name, mapping in tasks.items()], damaged=dict(tasks.damaged)
    )


@router.get("/tasks/{name}", responses=error_responses(404, 409, 422, 503))
async def read_task(name: Name, loaded: Ready) -> Task:
    """Describe a task."""
    return task_message(name, loaded.tasks.get(name))


@router.put(
    "/tasks/{name}",
    responses={
        201: {"model": ChangedTask, "description": "The task is new."},
        **error_responses(400, 409, 413, 422, 503, 507),
    },
)
def adapt(name: Name, new: NewTask, service: Serving, loaded: Ready, response: Response) -> ChangedTask:
    """Adapt to the examples of a task and store it; a task of the same name is replaced."""
    with _rejecting_invalid_input():
        service.limits.check_examples(len(new.examples), all_texts(new.examples))
        texts, labels, notes = example_columns(new.examples, new.task_type)
        service.limits.check_labels(labels)
        mapping = loaded.mapper.adapt(
            texts,
            labels,
            text_pairs=pairs_of(new.examples),
            label_names=new.label_names,
            task_type=new.task_type,
            multi_label=new.multi_label,
            out_of_scope=new.out_of_scope,
            ordinal=new.ordinal,
        )
        is_new = loaded.tasks.put(name, mapping)
    response.status_code = 201 if is_new else 200
    return ChangedTask(**task_message(name, mapping).model_dump(), notes=notes)


@router.post("/tasks/{name}/examples", responses=error_responses(400, 404, 409, 413, 422, 503, 507))
def add_examples(name: Name, more: MoreExamples, service: Serving, loaded: Ready) -> ChangedTask:
    """Add examples to a task. The result is the same as with all examples from the start."""
    notes: list[str] = []

    def add(mapping: Mapping) -> None:
        num_examples = mapping.num_examples + mapping.num_out_of_scope + len(more.examples)
        service.limits.check_examples(num_examples, all_texts(more.examples))
        pairs = pairs_of(more.examples)
        texts, labels, changes = example_columns(more.examples, mapping.task_type)
        service.limits.check_labels([*mapping.labels, *labels])
        mapping.add(texts, labels, text_pairs=pairs, label_names=more.label_names)
        notes.extend(changes)

    with _rejecting_invalid_input():
        mapping = loaded.tasks.change(name, add)
    return ChangedTask(**task_message(name, mapping).model_dump(), notes=notes)


@router.delete("/tasks/{name}", status_code=204, responses=error_responses(404, 422, 503, 507))
def delete_task(name: Name, service: Serving, loaded: Ready) -> None:
    """Delete a task."""
    loaded.tasks.delete(name)
    service.monitor.forget(name)


@router.post("/tasks/{name}/predict", responses=error_responses(400, 404, 409, 413, 422, 503))
async def predict(name: Name, request: TextsToLabel, service: Serving, loaded: Ready) -> Predictions:
    """Predict the labels of texts."""
    mapping, texts, pairs = loaded.tasks.get(name), request.texts, request.text_pairs

    def observe(labels: Sequence[Any]) -> None:
        service.monitor.observe(name, mapping, texts, labels, pairs)

    def answer() -> Predictions:
        with _rejecting_invalid_input():
            return _predictions(mapping, request, service.limits, loaded, observe=observe)

    if mapping.task_type == "ner":
        return await run_in_threadpool(answer)
    with _rejecting_invalid_input():
        service.limits.check_texts(texts, pairs)
        firsts, seconds = read_texts(texts, pairs)
    # Whatever the server has loaded or adapted encodes with a featurizer of batches.
    return await cast("BatchingFeaturizer", mapping.featurizer).answer(firsts, seconds, answer)


@router.post("/tasks/{name}/suggest", responses=error_responses(400, 404, 409, 413, 422, 503))
def suggest(name: Name, pool: Pool, service: Serving, loaded: Ready) -> Suggestions:
    """Choose the texts that are worth labelling next."""
    mapping = loaded.tasks.get(name)
    with _rejecting_invalid_input():
        service.limits.check_texts(pool.texts, pool.text_pairs)
        found = mapping.suggest(pool.texts, pool.num, text_pairs=pool.text_pairs)
    return Suggestions(
        suggestions=[
            Suggested(
                index=each.index,
                prediction=prediction_message(each.label),
                probability=rounded(each.probability),
                gain=rounded(each.gain),
            )
            for each in found
        ]
    )


@router.post(
    "/tasks/{name}/tune", status_code=202, responses=error_responses(400, 404, 409, 422, 429, 501, 503)
)
def tune(name: Name, service: Serving, loaded: Ready, request: TuneTask | None = None) -> TuningJob:
    """Tune the encoder to a task, if that helps it: a job, whose progress `GET /jobs/{job_id}` reports."""
    with _rejecting_invalid_input():
        return job_message(
            service.jobs.start(name, loaded, seconds=None if request is None else request.seconds)
        )


@router.get("/jobs", responses=error_responses(503))
async def list_jobs(service: Serving, loaded: Ready) -> TuningJobs:
    """List the jobs that are not finished, and the last ones that are."""
    return TuningJobs(jobs=[job_message(job) for job in service.jobs.all()])


@router.get("/jobs/{job_id}", responses=error_responses(404, 422, 503))
async def read_job(job_id: str, service: Serving, loaded: Ready) -> TuningJob:
    """Report the progress of a job, and its result."""
    return job_message(service.jobs.get(job_id))


@router.delete("/jobs/{job_id}", status_code=202, responses=error_responses(404, 422, 503))
async def cancel_job(job_id: str, service: Serving, loaded: Ready) -> TuningJob:
    """End a job within a step, with the best so far; one that waits does not begin."""
    return job_message(service.jobs.cancel(job_id))


@router.get("/tasks/{name}/cross-validation", responses=error_responses(404, 409, 422, 503))
def cross_validate(name: Name, loaded: Ready) -> CrossValidated:
    """Estimate how good a task is: each of its examples is predicted from the others."""
    mapping = loaded.tasks.get(name)
    with _rejecting_invalid_input():
        return cross_validated(mapping.cross_validate())


@router.get("/tasks/{name}/suspicious-labels", responses=error_responses(404, 409, 422, 503))
def check_labels(
    name: Name,
    loaded: Ready,
    num: Annotated[int, Query(ge=1, description="How many examples at most.")] = 20,
    min_probability: Annotated[
        float, Query(ge=0, le=1, description="Lowest probability of a wrong label.")
    ] = 0.5,
) -> Suspicious:
    """Find the examples of a task whose labels the others contradict."""
    mapping = loaded.tasks.get(name)
    with _rejecting_invalid_input():
        found = mapping.suspicious_labels(num=num)
    return suspicious(found.from_probability(min_probability))


@router.post("/tasks/{name}/errors", responses=error_responses(400, 404, 409, 413, 422, 503))
def find_errors(name: Name, request: LabelledTexts, service: Serving, loaded: Ready) -> Wrong:
    """Find the labelled texts that a task predicts wrongly, with the examples that each rests on."""
    mapping = loaded.tasks.get(name)
    with _rejecting_invalid_input():
        pairs = pairs_of(request.examples)
        texts, labels, _ = example_columns(request.examples, mapping.task_type)
        service.limits.check_texts(texts, pairs)
        return wrong(mapping.errors(texts, labels, text_pairs=pairs), len(texts))


@router.post("/zero-shot", responses=error_responses(400, 413, 422, 503))
def zero_shot(request: ZeroShot, service: Serving, loaded: Ready) -> Predictions:
    """Predict labels of which only the names are known. Nothing is stored."""
    with _rejecting_invalid_input():
        names = [*map(str, request.labels), *request.label_names.values()]
        service.limits.check_examples(len(request.labels), names)
        service.limits.check_labels(request.labels)
        mapping = loaded.mapper.zero_shot(
            request.labels, label_names=request.label_names, task_type=request.task_type
        )
        return _predictions(mapping, request, service.limits, loaded)


def _predictions(
    mapping: Mapping,
    request: TextsToLabel | ZeroShot,
    limits: Limits,
    loaded: Loaded,
    *,
    observe: Callable[[Sequence[Any]], None] = lambda labels: None,
) -> Predictions:
    """The predictions; ``observe`` is called with them while the texts' features are cached."""
    limits.check_texts(request.texts, request.text_pairs)
    if mapping.task_type == "ner" and request.text_pairs is not None:
        raise ValueError("ner does not support text_pairs: leave them out")
    texts, pairs = request.texts, request.text_pairs
    with loaded.featurizer.caching():
        predicted = mapping.predict(texts, text_pairs=pairs, threshold=request.threshold)
        observe(predicted)
        if mapping.task_type == "ner" and isinstance(next(iter(texts), None), str):
            predicted = [[entity_message(entity) for entity in entities] for entities in predicted]
        predictions = Predictions(
            predictions=predicted,
            labels=list(mapping.labels),
        )
        if request.probabilities:
            rows = mapping.predict_proba(texts, text_pairs=pairs)
            predictions.probabilities = [rounded(row) for row in rows]
            if mapping.task_type != "ner":
                predictions.confidences = rounded(mapping.confidence(texts, text_pairs=pairs))
    return predictions


@contextmanager
def _rejecting_invalid_input() -> Iterator[None]:
    """Within the block, a ``ValueError`` of the library means that the request is invalid."""
    try:
        yield
    except ValueError as error:
        raise InvalidRequestError(str(error)) from error
