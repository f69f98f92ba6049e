"""Signals of the rows of a file: read from a log of predictions, or computed from texts.

loaded = LoadedTask("tasks/orders", model=None)
loaded.signals(Reading(), "predictions.jsonl", None)
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from metamapping.cli.options import Backend, Format
from metamapping.cli.reading import Reading

if TYPE_CHECKING:  # these modules may import TensorFlow
    from metamapping import Mapping
    from metamapping.adaptation.drift import Signals
    from metamapping.adaptation.state import TaskState


class LoadedTask:
    """A task of which the encoder is loaded only when texts have to be encoded.

    Args:
        folder: The folder of the task.
        model: Another folder of its encoder.
        backend: What the encoder is loaded with.
    """

    def __init__(self, folder: Path, model: str | None, backend: Backend = "auto") -> None:
        self._folder, self._model, self._backend = folder, model, backend

    @functools.cached_property
    def state(self) -> TaskState:
        """The task without its encoder."""
        from metamapping.adaptation.saved.task_folder import read_task

        return read_task(Path(self._folder)).state

    @functools.cached_property
    def _mapping(self) -> Mapping:
        from metamapping.cli.labelling import load_task

        return load_task(self._folder, self._model, self._backend)

    def signals(
        self,
        reading: Reading,
        place: str,
        format: Format | None,
        *,
        name: str | None = None,
        last: int | None = None,
    ) -> Signals:
        """How the task sees the rows of a file.

        Args:
            reading: The options that describe it.
            place: A path, or `-` for standard input.
            format: Its format, as for ``open_records``.
            name: Name of the task in a log.
            last: How many rows to look at, from the end.

        Raises:
            ValueError: The file cannot be read, or does not fit the task.
        """
        from metamapping.adaptation.drift import Signals
        from metamapping.adaptation.saved.prediction_log import is_log, read_log_signals, signals_of_rows

        def latest(found: Signals) -> Signals:
            return found if last is None else Signals(*(each[-last:] for each in found))

        if reading.text is None and is_log(Path(place)):
            # The server may be writing it.
            return latest(read_log_signals(Path(place), task=name))
        records, rows = reading.rows(place, format)
        found = signals_of_rows(rows, task=name) if reading.text is None else None
        if found is not None:
            return latest(found)
        rows = rows if last is None else rows[-last:]
        fields = reading.fields(self.state.task_type, records, rows)
        return self._mapping.signals(fields.texts(rows), text_pairs=fields.text_pairs(rows))
