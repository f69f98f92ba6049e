"""The screen of a run: a line for each finished stage and round, and what is being done at the moment.

In a terminal, the work in hand is a bar with the time left. In a log, where nothing can be overwritten, it
is a plain line every ``LOG_EVERY_SECONDS``, written by a thread, so that a long call into TensorFlow does
not leave the log silent.

    with Screen() as screen:
        with screen.work("round 1: meta-steps", total=100) as work:
            work.advance(25, "loss 0.812")
        screen.say("round 1: accuracy 0.645")

Stages that run in the same process find the screen with ``current_screen``. Where none is open, for example
in a worker of a Prefect deployment, that is one that shows nothing.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from statistics import fmean, median
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

LOG_EVERY_SECONDS = 30.0
# The time left is estimated from this many recent steps, without those that took this many times the median.
NUM_RECENT_STEPS, COMPILED_STEP = 50, 3.0
_current: Screen | None = None


class Work:
    """Something that takes a while.

    Attributes:
        what: What is being done.
        total: Number of steps; ``None`` if it is not known.
        done: Number of finished steps.
        note: A short remark, such as the last loss.
    """

    def __init__(self, what: str, total: int | None = None) -> None:
        self.begin(what, total)

    def begin(self, what: str, total: int | None = None) -> None:
        """Continue with the next part of the work, which is counted from the start.

        Args:
            what: What is being done.
            total: Number of steps; ``None`` if it is not known.
        """
        self.what, self.total, self.done, self.note = what, total, 0, ""
        self.started = time.monotonic()
        self._last = self.started
        self._step_seconds: deque[float] = deque(maxlen=NUM_RECENT_STEPS)

    def advance(self, done: int, note: str = "") -> None:
        """Say how far the work is.

        Args:
            done: Number of finished steps.
            note: A short remark.
        """
        now, new = time.monotonic(), done - self.done
        # The first step, with what comes before it, says nothing about the others.
        if new > 0 and self.done > 0:
            self._step_seconds.append((now - self._last) / new)
        if new > 0:
            self._last = now
        self.done, self.note = done, note

    @property
    def seconds_left(self) -> float | None:
        """Expected time until the last step; ``None`` before the second step, or without a total."""
        if self.total is None or not self._step_seconds:
            return None
        # Steps with a new shape of batch are compiled, which takes far longer than a step.
        limit = COMPILED_STEP * median(self._step_seconds)
        usual = [seconds for seconds in self._step_seconds if seconds <= limit]
        return fmean(usual) * max(0, self.total - self.done)

    def __str__(self) -> str:
        """What is being done, how much of it is done, and the time left or passed."""
        parts = [self.what if self.total is None else f"{self.what}: {self.done:,} of {self.total:,}"]
        left = self.seconds_left
        passed = time.monotonic() - self.started
        parts += [f"about {duration(left)} left" if left is not None else f"for {duration(passed)} so far"]
        return ", ".join([*parts, *filter(None, [self.note])])


class Screen:
    """Shows the lines of a run and the work in hand, on standard error; use it as a context manager.

    Args:
        console: Where to write; by default what standard error is at the moment, also if file descriptor 2
            is redirected later in order to hide the messages of a library.
        log_every_seconds: Where the console is not a terminal: seconds without a line after which the work
            in hand is written.
    """

    is_shown = True

    def __init__(
        self, console: Console | None = None, *, log_every_seconds: float = LOG_EVERY_SECONDS
    ) -> None:
        self._file: TextIO | None = None
        if console is None:
            self._file = _duplicate_of_stderr()
            console = Console(file=self._file or sys.stderr)
        self._console = console
        self._log_every = log_every_seconds
        self._last_line = time.monotonic()
        self._last_lap = time.monotonic()
        self._longest_lap = 0.0
        self._works: dict[Work, TaskID] = {}
        self._idle = Work("working")
        self._is_over = threading.Event()
        self._bars = Progress(
            SpinnerColumn(),
            _WorkColumn("", markup=False),
            BarColumn(bar_width=20),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        global _current
        _current = self
        self._idle.begin("working")
        self._idle_task = self._bars.add_task("", total=None, work=self._idle)
        self._bars.start()
        if not self._console.is_terminal:
            threading.Thread(target=self._write_works, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _current
        _current = None
        self._is_over.set()
        self._bars.stop()
        if self._file is not None:
            self._file.close()

    def say(self, text: str) -> None:
        """Write a line that stays.

        Args:
            text: The line; a log shows the time of day before it.
        """
        self._last_line = time.monotonic()
        if not self._console.is_terminal:
            text = f"{datetime.now():%H:%M:%S} {text}"
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def work(self, what: str, total: int | None = None) -> Iterator[Work]:
        """Show something that takes a while, as long as the block takes.

        Args:
            what: What is being done.
            total: Number of steps; ``None`` if it is not known.

        Yields:
            The work, which is notified of its progress.
        """
        work = Work(what, total)
        self._works[work] = self._bars.add_task("", total=None, work=work)
        self._show_idle(False)
        try:
            yield work
        finally:
            self._bars.remove_task(self._works.pop(work))
            self._show_idle(not self._works)

    def begin_laps(self) -> None:
        """Measure the first lap from now on."""
        self._last_lap = time.monotonic()

    def describe_lap(self, num_left: int) -> str:
        """Say how long a lap, such as a round, has taken, and how long the others can take.

        Args:
            num_left: The most laps that can follow.

        Returns:
            Such as ``42 s, at most about 3 min left``, by the longest lap so far.
        """
        now = time.monotonic()
        passed, self._last_lap = now - self._last_lap, now
        self._longest_lap = max(self._longest_lap, passed)
        left = f", at most about {duration(num_left * self._longest_lap)} left" if num_left else ""
        return f"{duration(passed)}{left}"

    def _show_idle(self, is_idle: bool) -> None:
        """Show that the run continues between two works, for example while Prefect starts a stage."""
        if is_idle:
            self._idle.begin("working")
        self._bars.update(self._idle_task, visible=is_idle)

    def _write_works(self) -> None:
        while not self._is_over.wait(min(1.0, self._log_every / 4)):
            if time.monotonic() - self._last_line >= self._log_every:
                self.say("; ".join(f"… {work}" for work in list(self._works) or [self._idle]))


class _Nowhere(Screen):
    """A screen that shows nothing, where no other one is open."""

    is_shown = False

    def __init__(self) -> None:
        super().__init__(Console(quiet=True, force_terminal=False))

    def _show_idle(self, is_idle: bool) -> None:
        pass


class _WorkColumn(TextColumn):
    """The text of a work; renders it again each time, so that the time left stays true."""

    def render(self, task: Task) -> Text:
        work: Work = task.fields["work"]
        task.total, task.completed = work.total, work.done
        return Text(str(work))


def _duplicate_of_stderr() -> TextIO | None:
    """Standard error under another descriptor, line buffered; ``None`` where it is no file."""
    try:
        descriptor = os.dup(sys.stderr.fileno())
    except (OSError, ValueError):
        return None
    return os.fdopen(descriptor, "w", buffering=1, encoding="utf-8", errors="replace")


def current_screen() -> Screen:
    """Return the screen that is open in this process, or one that shows nothing."""
    return _current or _NOWHERE


def duration(seconds: float) -> str:
    """Format a duration in words, as exactly as an estimate deserves.

    Args:
        seconds: The duration.

    Returns:
        Such as ``12 s``, ``3 min`` or ``2 h 10 min``.
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


_NOWHERE = _Nowhere()
