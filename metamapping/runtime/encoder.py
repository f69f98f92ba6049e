"""Runtime encoder: features of texts and words as ``models.encoder`` computes them, without TensorFlow.

The graph is run by onnxruntime on the CPU, in float32 or with dense layers of 8 bits. Any number of threads
may use one encoder.

    weights = WeightFile(folder / "model.safetensors")
    encoder = RuntimeEncoder(read_graph(folder, weights, max_length_tokens=128), weights)
    x = encoder.encode(token_ids, segment_ids)          # float32 (num_texts, text_dim)
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
import onnx
import onnxruntime

from metamapping.corpus.ragged import Ragged
from metamapping.episodes.length_groups import by_length
from metamapping.episodes.padding import pad_tokens, word_arrays
from metamapping.errors import StoreError, one_line
from metamapping.models.view_layout import (
    NUM_VIEWS,
    NUM_WORD_VIEWS,
    PADDING_WORTH_A_PASS,
)
from metamapping.models.weight_delta import WeightDelta
from metamapping.runtime.graph_file import Graph
from metamapping.runtime.graph_writer import INPUTS
from metamapping.runtime.quantization import products_overflow, quantized
from metamapping.runtime.views import word_views
from metamapping.runtime.weight_file import WeightFile

Precision = Literal["float32", "int8"]

_ERRORS_ALONE = 3
# The weights of the tasks that were used last are kept, 42 MB each for all layers of a MiniLM; and an engine
# for each of the last numbers of layers.
_KEPT_TASKS, _KEPT_ENGINES = 4, 4
# The engine's kernel for a sum with its normalization is slower than the two operators on their own: without
# it, float32 is a tenth faster and 8 bits a fifth (benchmarks/README.md).
_SLOW_FUSIONS = ("SkipLayerNormFusion",)


class RuntimeEncoder:
    """An encoder that was read from a graph.

    Args:
        graph: The graph, checked.
        weights: The file with its weights, which stays mapped into memory.
        precision: ``float32``, or ``int8`` for dense layers that multiply integers of 8 bits, which is faster
            and changes the features a little.

    Attributes:
        dim: Width of one view.
        text_dim: Width of a text's features, ``NUM_VIEWS * dim``.
        word_dim: Width of a word's features, ``NUM_WORD_VIEWS * dim``.

    Raises:
        StoreError: The engine cannot run the graph.
        ValueError: The precision is ``int8``, and this processor's integer products overflow.
    """

    def __init__(self, graph: Graph, weights: WeightFile, *, precision: Precision = "float32") -> None:
        self._folder, self._graph, self._precision = weights.path.parent, graph, precision
        self.dim = graph.dim
        self.text_dim, self.word_dim = NUM_VIEWS * self.dim, NUM_WORD_VIEWS * self.dim
        # The engine copies the weights that it computes with. The largest is the table of tokens, of which a
        # text needs a few rows: it stays in the file, and is given to each call.
        self._table = {name: weights.array(name) for name in graph.weights if name == graph.token_table}
        model = onnx.load_model_from_string(graph.data)
        if precision == "int8":
            if products_overflow():
                raise ValueError(
                    "this processor adds products of 8-bit integers in 16 bits, which overflow: use "
                    "backend='runtime'"
                )
            model = quantized(model, weights)
        # The engine may refer to the memory of these, which has to live as long as it does.
        names = [each.name for each in model.graph.initializer if each.name in graph.weights]
        self._arrays = {name: weights.array(name) for name in names if name != graph.token_table}
        self._session = self._open(model, tuple(self._table))
        self._tuned: dict[tuple[str, ...], TunedWeights] = {}
        self._lock = threading.Lock()
        weights.release()  # what checking and copying them has read

    @property
    def precision(self) -> Precision:
        """What dense layers compute with."""
        return self._precision

    @property
    def tunable_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the weights that tuning may change, by name."""
        return {name: self._arrays[name].shape for name in self._graph.tunable if name in self._arrays}

    def tuned(self, delta: WeightDelta) -> TunedRuntimeEncoder:
        """This encoder with other layers; it stays as it is, and shares everything else.

        Args:
            delta: What tuning changed.

        Raises:
            ValueError: The delta is that of another encoder, or the encoder computes with 8 bits.
        """
        if self._precision == "int8":
            raise ValueError("a tuned task is computed in float32, not in 8 bits: use the backend `runtime`")
        shapes = {name: shape for name, shape in self.tunable_shapes.items() if name in delta.names}
        delta.check_fits(shapes)
        return TunedRuntimeEncoder(self, tuple(shapes), delta)

    def tuned_weights(self, names: tuple[str, ...]) -> TunedWeights:
        """What all tasks share of which the same weights were tuned.

        Args:
            names: The names of these weights, which are those of some number of layers.

        Raises:
            StoreError: The engine cannot run the graph.
        """
        with self._lock:
            if names not in self._tuned:
                model = onnx.load_model_from_string(self._graph.data)
                session = self._open(model, (*self._table, *names))
                self._tuned[names] = TunedWeights({name: self._arrays[name] for name in names}, session)
                while len(self._tuned) > _KEPT_ENGINES:
                    del self._tuned[next(iter(self._tuned))]
            return self._tuned[names]

    def _open(self, model: onnx.ModelProto, inputs: tuple[str, ...]) -> onnxruntime.InferenceSession:
        """The engine for a graph, of whose weights some are inputs of each call. Raises ``StoreError``."""
        kept = {name: array for name, array in self._arrays.items() if name not in inputs}
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in kept.values()]
        options = _options()
        options.add_external_initializers(list(kept), values)
        try:
            return onnxruntime.InferenceSession(
                _with_inputs(model, inputs).SerializeToString(),
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=list(_SLOW_FUSIONS),
            )
        except Exception as error:  # the engine's own classes have no common base
            raise StoreError(
                f"{self._folder}: the graph cannot be run ({one_line(error)}): publish again"
            ) from error

    def encode(
        self,
        token_ids: Ragged,
        segment_ids: Ragged,
        word_starts: Ragged | None = None,
        *,
        batch_size: int = 64,
        on_progress: Callable[[int], None] | None = None,
    ) -> np.ndarray:
        """Features of any number of texts, or of all their words in order.

        Texts are encoded in order of length, so that little is spent on padding.

        Args:
            token_ids: Tokens of each text.
            segment_ids: Segments of the same tokens.
            word_starts: The first piece of each word of each text; ``None`` for features of whole texts.
            batch_size: Maximum number of texts that go through the encoder at once.
            on_progress: Called with the number of texts that were newly encoded.

        Returns:
            Float32 ``(num_texts, text_dim)``; with ``word_starts`` ``(num_words, word_dim)``, all words of
            all texts.

        Raises:
            StoreError: The graph fails, as one of a damaged or hostile folder may.
        """
        if word_starts is None:
            features = np.zeros((len(token_ids), self.text_dim), np.float32)
        else:
            features = np.zeros((int(word_starts.offsets[-1]), self.word_dim), np.float32)
        for rows in by_length(token_ids.lengths, max_size=batch_size, max_padding=PADDING_WORTH_A_PASS):
            longest = int(token_ids.lengths[rows[-1]])
            batch = pad_tokens(token_ids, segment_ids, rows, len(rows), length=longest)
            inputs = {name: batch[name] for name in INPUTS}
            if word_starts is None:
                (features[rows],) = self._run(["texts"], inputs, (len(rows), self.text_dim))
            else:
                shape = (*batch["token_ids"].shape, self.dim)
                last, lower = self._run(["last", "lower"], inputs, shape)
                starts, offsets = [word_starts[row] for row in rows], word_starts.offsets
                spans = [np.arange(offsets[row], offsets[row + 1]) for row in rows]
                of_words = word_arrays(batch["padding_mask"], starts, sum(map(len, starts)))
                features[np.concatenate(spans)] = word_views(last, lower, **of_words)
            if on_progress is not None:
                on_progress(len(rows))
        return features

    def _run(
        self, names: list[str], inputs: dict[str, np.ndarray], shape: tuple[int, ...]
    ) -> list[np.ndarray]:
        """Results of the graph, each of which has to have this shape. Raises ``StoreError``."""
        try:
            results: list[np.ndarray] = self._run_session(names, inputs | self._table)
        except Exception as error:  # the engine's own classes have no common base
            raise StoreError(
                f"{self._folder}: the graph failed ({one_line(error)}): publish again"
            ) from error
        for name, result in zip(names, results, strict=True):
            if result.shape != shape:
                raise StoreError(
                    f"{self._folder}: the graph returned {name} of the shape {result.shape}, expected "
                    f"{shape}: publish again"
                )
        return results

    def _run_session(self, names: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        results: list[np.ndarray] = self._session.run(names, inputs)
        return results


class TunedWeights:
    """The weights that tuning changes, and the engine that takes them with each call.

    All tasks that were tuned in the same layers share it. In memory a task has its delta alone; the weights
    of the tasks that were used last are kept.

    Args:
        base: The weights of the encoder, by name.
        session: The engine.
    """

    def __init__(self, base: dict[str, np.ndarray], session: onnxruntime.InferenceSession) -> None:
        self.base, self.session = base, session
        self.of = lru_cache(maxsize=_KEPT_TASKS)(self._of)

    def _of(self, delta: WeightDelta) -> dict[str, np.ndarray]:
        return delta.added_to(self.base)


class TunedRuntimeEncoder(RuntimeEncoder):
    """An encoder with the tuned layers of one task.

    Args:
        encoder: The encoder, which is not changed.
        names: The names of the weights that were tuned.
        delta: What tuning changed.
    """

    def __init__(self, encoder: RuntimeEncoder, names: tuple[str, ...], delta: WeightDelta) -> None:
        self.__dict__.update(encoder.__dict__)
        self._names, self._delta = names, delta

    def _run_session(self, names: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        shared = self.tuned_weights(self._names)
        results: list[np.ndarray] = shared.session.run(names, inputs | shared.of(self._delta))
        return results


def _with_inputs(model: onnx.ModelProto, names: tuple[str, ...]) -> onnx.ModelProto:
    """A graph, changed so that its weights of these names are inputs."""
    moved = [each for each in model.graph.initializer if each.name in names]
    for tensor in moved:
        model.graph.initializer.remove(tensor)
        value = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        model.graph.input.append(value)
    return model


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ALONE
    options.intra_op_num_threads = _num_threads()
    # Threads that wait for work without sleeping take the processor from whatever else runs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _num_threads() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
