"""An MLflow server as a place that shows runs: what is sent there, and under which names.

A run of this project is one run of an MLflow experiment, found again by the tag ``metamapping.run_id``. What
has been sent is read from the server, so that sending a run again sends only the rest. Rows of the data are
not sent: neither the page of the run nor the report of the corpus, which quote some.

    server = MlflowServer("http://127.0.0.1:5000", experiment="support", model="support")
    server.send(run)
    server.set_aliases({"production": run})

Only this module imports MLflow, and only ``runs.tracking`` imports this module.
"""

from __future__ import annotations

import functools
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import yaml

from metamapping.errors import StoreError, one_line
from metamapping.publishing.layout import CARD, read_card
from metamapping.rounds.records import Round
from metamapping.rounds.tables import rounds_markdown
from metamapping.runs.folder import RunFolder
from metamapping.runs.outcome import outcome_of
from metamapping.runs.registry import ALIASES
from metamapping.runs.summary import test_report
from metamapping.runs.tracked_values import params_of, round_values, score_values, tracked_name
from metamapping.storage import remote

# Before MLflow is imported: nothing is sent to its makers, and no line about Git is logged.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

from mlflow import MlflowClient
from mlflow.entities import Experiment, Metric, Param, RunTag
from mlflow.entities import Run as ServerRun
from mlflow.exceptions import MlflowException

RUN_TAG, ROUNDS_TAG, PUBLISHED_TAG = (
    f"metamapping.{name}" for name in ("run_id", "rounds_sent", "published_sent")
)
PUBLISHED = "published"  # folder of the artifacts with the published encoder
_SETTINGS = "configuration.yaml"
_MAX_PARAMS, _MAX_CHARACTERS = 100, 500  # of one request; of the value of a parameter
# The pages of an experiment are those for training; by default a person is asked.
_KIND = {"mlflow.experimentKind": "custom_model_development"}
# How long to find out that there is no server; by default MLflow tries for minutes.
_FIRST_CONTACT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "15"}

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class ServerError(RuntimeError):
    """The server cannot be reached, or rejects what it is sent."""


def _reported(
    method: Callable[Concatenate[MlflowServer, Arguments], Result],
) -> Callable[Concatenate[MlflowServer, Arguments], Result]:
    """Report the errors of MLflow and of the network as ``ServerError``."""

    @functools.wraps(method)
    def call(self: MlflowServer, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return method(self, *args, **kwargs)
        except (MlflowException, OSError) as error:  # errors of `requests` are an OSError, too
            is_silent = "failed with exception" in str(error)  # MLflow's words for all that is not an answer
            raise ServerError("it cannot be reached" if is_silent else one_line(error)) from error

    return call


class MlflowServer:
    """A server, of which the first contact has been made.

    Args:
        uri: Its address.
        experiment: Name of the experiment, which is created if it does not exist.
        model: Name of the registered model, which is created with its first version.

    Raises:
        ServerError: It cannot be reached.
    """

    def __init__(self, uri: str, experiment: str, model: str) -> None:
        self._model = model
        self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self._experiment_id = self._open_experiment(experiment)

    @_reported
    def send(self, run: RunFolder) -> None:
        """Send what the server does not have yet of a run.

        Args:
            run: An opened run.

        Raises:
            ServerError: The server cannot be reached any more, or rejects something.
        """
        self._send(run)

    @_reported
    def set_aliases(self, wanted: Mapping[str, RunFolder]) -> None:
        """Let the aliases of the registered model point to the versions of runs.

        Args:
            wanted: The runs by alias; an alias that is not in it is removed from the model.

        Raises:
            ServerError: The server cannot be reached any more, or rejects something.
        """
        found = self._client.search_registered_models(f"name = {_quoted(self._model)}")
        aliases = dict(found[0].aliases) if found else {}
        for alias in ALIASES:
            if alias not in wanted:
                if alias in aliases:
                    self._client.delete_registered_model_alias(self._model, alias)
                continue
            version = self._version_of(wanted[alias])
            if str(aliases.get(alias)) != version:
                self._client.set_registered_model_alias(self._model, alias, version)

    @_reported
    def _open_experiment(self, name: str) -> str:
        with _environment(_FIRST_CONTACT):
            found: Experiment | None = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(self._client.create_experiment(name, tags=_KIND))
            except MlflowException:  # another run has created it at the same moment
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        return str(found.experiment_id)

    def _send(self, run: RunFolder) -> ServerRun:
        sent = self._find(run) or self._begin(run)
        server_id, tags = sent.info.run_id, sent.data.tags
        history = run.read_history()
        num_sent = int(tags.get(ROUNDS_TAG, 0))
        if len(history) > num_sent:
            self._send_rounds(server_id, history, num_sent)
        if run.has_published and PUBLISHED_TAG not in tags:
            self._send_published(server_id, run)
        return sent

    def _find(self, run: RunFolder) -> ServerRun | None:
        wanted = f"tags.`{RUN_TAG}` = {_quoted(run.run_id)}"
        return next(iter(self._client.search_runs([self._experiment_id], wanted, max_results=1)), None)

    def _begin(self, run: RunFolder) -> ServerRun:
        tags = {RUN_TAG: run.run_id, "metamapping.folder": run.place}
        sent = self._client.create_run(self._experiment_id, tags=tags, run_name=run.run_id)
        server_id = sent.info.run_id
        params = [Param(name, value[:_MAX_CHARACTERS]) for name, value in params_of(run).items()]
        for start in range(0, len(params), _MAX_PARAMS):
            self._client.log_batch(server_id, params=params[start : start + _MAX_PARAMS])
        settings = run.config.model_dump(mode="json", exclude_defaults=True)
        text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
        self._client.log_text(server_id, text, _SETTINGS)
        self._send_corpus_picture(server_id, run)
        return sent

    def _send_corpus_picture(self, server_id: str, run: RunFolder) -> None:
        try:
            report = None if run.corpus.report is None else run.corpus.report.fetch()
        except (OSError, StoreError):  # the report was removed, which the run does not need
            return
        if report is not None and (picture := report / "picture.png").is_file():
            with _renamed(picture, "corpus.png") as path:
                self._client.log_artifact(server_id, str(path), "pictures")

    def _send_rounds(self, server_id: str, history: list[Round], num_sent: int) -> None:
        from metamapping.runs.plots import learning_curve_png

        untrained = history[0].report.untrained()
        metrics = [] if num_sent else _as_metrics(score_values(untrained, "validation"), step=0)
        for judged in history[num_sent:]:
            metrics += _as_metrics(round_values(judged), step=judged.report.round)
        self._client.log_batch(server_id, metrics=metrics)
        self._client.log_text(server_id, rounds_markdown(history), "rounds.md")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "learning-curve.png"
            path.write_bytes(learning_curve_png(history))
            self._client.log_artifact(server_id, str(path), "pictures")
        last = history[-1]
        tags = {
            ROUNDS_TAG: str(len(history)),
            "metamapping.verdict": last.verdict.state,
            "metamapping.best_round": str(last.verdict.best_round),
        }
        self._client.log_batch(server_id, tags=[RunTag(name, value) for name, value in tags.items()])

    def _send_published(self, server_id: str, run: RunFolder) -> None:
        folder, history = remote.open_folder(run.published), run.read_history()
        best, tests = history[-1].verdict.best_round, test_report(run, history)
        if tests.cells:
            before = _as_metrics(score_values(tests.untrained(), "test"), step=0)
            after = _as_metrics(score_values(tests, "test"), step=best) if best else []
            self._client.log_batch(server_id, metrics=[*before, *after])
        self._client.log_artifacts(server_id, str(folder), PUBLISHED)
        if (folder / CARD).is_file():
            # What the page of the run shows as its description.
            self._client.set_tag(server_id, "mlflow.note.content", read_card(folder))
        self._register(server_id, run)
        self._client.set_terminated(server_id, "FINISHED")
        self._client.set_tag(server_id, PUBLISHED_TAG, "true")

    def _register(self, server_id: str, run: RunFolder) -> str:
        """The version of the registered model that is the run's published encoder, created if necessary."""
        client, name = self._client, self._model
        versions = client.search_model_versions(f"name = {_quoted(name)} and run_id = '{server_id}'")
        if versions:
            return str(versions[0].version)
        if not client.search_registered_models(f"name = {_quoted(name)}"):
            try:
                client.create_registered_model(
                    name, description="Encoders published by metamapping; the aliases follow its registry."
                )
            except MlflowException:  # another run has created it at the same moment
                client.get_registered_model(name)
        version = client.create_model_version(
            name,
            f"{client.get_run(server_id).info.artifact_uri}/{PUBLISHED}",
            server_id,
            tags={RUN_TAG: run.run_id},
            description=outcome_of(run).sentence,
            await_creation_for=0,  # it is ready at once: the files are there already
        )
        return str(version.version)

    def _version_of(self, run: RunFolder) -> str:
        sent = self._send(run)
        return self._register(sent.info.run_id, run)


def _as_metrics(values: Mapping[str, float | None], *, step: int) -> list[Metric]:
    now = int(time.time() * 1000)
    return [
        Metric(tracked_name(name), float(value), now, step)
        for name, value in values.items()
        if value is not None and math.isfinite(value)
    ]


def _quoted(text: str) -> str:
    """A value in a filter of MLflow; names of runs and models hold no quotes."""
    return "'" + text.replace("'", "") + "'"


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Within the block, these variables are set, unless the user has set them."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def _renamed(path: Path, name: str) -> Iterator[Path]:
    """A copy of a file with another name, since MLflow keeps the names of files."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / name
        copy.write_bytes(path.read_bytes())
        yield copy
