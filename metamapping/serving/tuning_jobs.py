"""Tuning jobs: tasks of a server are tuned one after another, while requests are answered.

    jobs = TuningJobs(max_waiting=8, max_seconds=600.0)
    job = jobs.start("orders", loaded, seconds=None)      # returns at once
    jobs.get(job.id).steps
    jobs.cancel(job.id)                                   # keeps the best so far

A task answers in closed form until its job is done. One that was changed meanwhile stays as it is then.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from metamapping.errors import check_train_extra

if TYPE_CHECKING:  # these modules import TensorFlow
    from metamapping.adaptation.task_mapping import Mapping
    from metamapping.serving.service import Loaded

Status = Literal["waiting", "running", "done", "cancelled", "failed"]

# Finished jobs that can still be asked for.
_KEPT = 100
# How much less urgent the steps are than requests, as `nice` counts it.
_NICENESS = 10
_STEP_SECONDS = 60
_log = logging.getLogger("uvicorn.error")


class NoSuchJobError(LookupError):
    """There is no job with that number."""


class TooManyJobsError(RuntimeError):
    """Too many jobs are waiting."""


class JobExistsError(RuntimeError):
    """The task has a job that is not finished."""


@dataclass(frozen=True)
class Job:
    """What is known of a job; it never changes, ``TuningJobs.get`` returns the newest.

    Attributes:
        id: Its number, which cannot be guessed.
        task: Name of the task.
        status: ``waiting`` until those before it are done.
        steps: Number of steps taken.
        steps_in_all: Number of all steps, as far as it is known; 0 before the first.
        seconds: Time since it began.
        seconds_left: Estimated time until it ends; ``None`` before the first step.
        is_tuned: Whether the task has tuned layers now; ``None`` until it is done.
        result: What was decided and why, or why it failed.
    """

    id: str
    task: str
    status: Status = "waiting"
    steps: int = 0
    steps_in_all: int = 0
    seconds: float = 0.0
    seconds_left: float | None = None
    is_tuned: bool | None = None
    result: str | None = None

    @property
    def is_finished(self) -> bool:
        """Whether nothing about it will change."""
        return self.status not in ("waiting", "running")


@dataclass
class _Work:
    """A job in progress. Attributes that change are set under the lock of ``TuningJobs``."""

    job: Job
    loaded: Loaded
    seconds: float | None
    is_cancelled: bool = False
    began: float = field(default_factory=time.monotonic)


class TuningJobs:
    """Jobs that wait, the one that runs, and the last that are finished.

    Args:
        max_waiting: Limit of jobs that are not finished.
        max_seconds: Limit of the time of a job. One that takes longer ends with the best so far.
    """

    def __init__(self, *, max_waiting: int, max_seconds: float) -> None:
        self._max_waiting, self._max_seconds = max_waiting, max_seconds
        self._lock = threading.Condition()
        self._jobs: dict[str, _Work] = {}
        self._waiting: deque[_Work] = deque()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def start(self, task: str, loaded: Loaded, *, seconds: float | None = None) -> Job:
        """Begin a job, or let it wait for those before it.

        Args:
            task: Name of a task.
            loaded: The encoder and the tasks.
            seconds: Time for its steps; ``None`` for a number of steps that suits most tasks.

        Raises:
            NoSuchTaskError: There is no such task.
            ValueError: The task cannot be tuned, or the time is above the limit.
            MissingExtraError: TensorFlow is not installed.
            JobExistsError: The task has a job that is not finished.
            TooManyJobsError: As many jobs as the limit are not finished.
        """
        from metamapping.adaptation.tuning.retuning import check_can_retune

        if seconds is not None and seconds > self._max_seconds:
            raise ValueError(
                f"seconds is {seconds:g}, but a job may take {self._max_seconds:g}: give less, or start the "
                "server with a higher --max-tune-seconds"
            )
        check_can_retune(loaded.tasks.get(task), loaded.mapper)
        check_train_extra("tuning an encoder to a task")
        with self._lock:
            unfinished = [each.job for each in self._jobs.values() if not each.job.is_finished]
            if same := [job for job in unfinished if job.task == task]:
                raise JobExistsError(
                    f"task {task!r} is already being tuned: GET or DELETE /jobs/{same[0].id}"
                )
            if len(unfinished) >= self._max_waiting:
                raise TooManyJobsError(
                    f"{len(unfinished)} jobs are not finished, the limit of this server: try again later"
                )
            work = _Work(Job(uuid.uuid4().hex, task), loaded, seconds)
            self._jobs[work.job.id] = work
            self._waiting.append(work)
            self._forget()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="tuning", daemon=True)
                self._thread.start()
            self._lock.notify_all()
        return work.job

    def get(self, job_id: str) -> Job:
        """The newest of what is known of a job.

        Args:
            job_id: Its number.

        Raises:
            NoSuchJobError: There is none, or it was finished long ago.
        """
        with self._lock:
            return _until_now(self._find(job_id))

    def all(self) -> list[Job]:
        """All jobs, in the order in which they were started."""
        with self._lock:
            return [_until_now(work) for work in self._jobs.values()]

    def cancel(self, job_id: str) -> Job:
        """End a job with the best so far; one that waits does not begin. A finished one stays as it is.

        Args:
            job_id: Its number.

        Raises:
            NoSuchJobError: There is none, or it was finished long ago.
        """
        with self._lock:
            work = self._find(job_id)
            work.is_cancelled = True
            if work in self._waiting:
                self._waiting.remove(work)
                work.job = replace(work.job, status="cancelled", result="it was cancelled before it began")
            return work.job

    def close(self) -> None:
        """Cancel all jobs, and wait for the one that runs to end."""
        with self._lock:
            self._is_closed = True
            for work in self._jobs.values():
                work.is_cancelled = True
            self._waiting.clear()
            self._lock.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=_STEP_SECONDS)

    def _find(self, job_id: str) -> _Work:
        try:
            return self._jobs[job_id]
        except KeyError:
            raise NoSuchJobError(
                f"there is no job {job_id!r:.80}: GET /jobs lists them (a server that was restarted knows "
                "none of before), POST /tasks/NAME/tune starts one"
            ) from None

    def _forget(self) -> None:
        finished = [job_id for job_id, work in self._jobs.items() if work.job.is_finished]
        for job_id in finished[: max(0, len(finished) - _KEPT)]:
            del self._jobs[job_id]

    def _work(self) -> None:
        # Threads inherit this, so that those of TensorFlow have it too where nothing else has started them.
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._waiting or self._is_closed)
                if self._is_closed:
                    return
                work = self._waiting.popleft()
                work.began = time.monotonic()
                work.job = replace(work.job, status="running")
            try:
                finished = self._tune(work)
            except Exception as error:  # The thread must survive, and the client gets the reason.
                _log.warning("task %s could not be tuned: %s", work.job.task, error)
                finished = replace(work.job, status="failed", result=f"{error}")
            with self._lock:
                seconds = time.monotonic() - work.began
                work.job = replace(finished, seconds=seconds, seconds_left=0.0)

    def _tune(self, work: _Work) -> Job:
        """Tune the task of a job, and put the result in its place."""
        from metamapping.adaptation.tuning.retuning import tune_mapping
        from metamapping.adaptation.tuning.tuning import StopTuningError

        def on_step(steps: int, steps_in_all: int) -> None:
            with self._lock:
                seconds = time.monotonic() - work.began
                left = seconds / steps * (steps_in_all - steps)
                work.job = replace(
                    work.job, steps=steps, steps_in_all=steps_in_all, seconds=seconds, seconds_left=left
                )
                is_over = work.is_cancelled or seconds > self._max_seconds
            if is_over or is_changed():
                raise StopTuningError

        tasks, name = work.loaded.tasks, work.job.task
        mapping = tasks.get(name)
        state = mapping.state

        def is_changed() -> bool:
            current = tasks.get(name)
            return current is not mapping or current.state is not state

        tuned = tune_mapping(mapping, work.loaded.mapper, seconds=work.seconds, on_step=on_step)
        assert tuned.tuning is not None

        def unless_changed(current: Mapping) -> Mapping:
            return tuned if current is mapping and current.state is state else current

        if not tasks.replace(name, unless_changed):
            return replace(
                work.job,
                status="failed",
                result="the task was changed meanwhile, and stays as it is: tune again",
            )
        result, is_tuned = str(tuned.tuning), tuned.tuning.is_tuned
        return replace(work.job, status="done", is_tuned=is_tuned, result=result)


def _until_now(work: _Work) -> Job:
    """A job with the time that it has taken so far, of which the first step takes much."""
    if work.job.status != "running":
        return work.job
    return replace(work.job, seconds=time.monotonic() - work.began)
