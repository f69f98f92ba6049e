"""The configuration of a run: what goes in, as one immutable value.

Everything a run does follows from a ``RunConfig`` and the sources' bytes; fingerprints are taken
over its parts. ``config_file.read_config`` reads it from YAML, and the form of a deployment draws it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from metamapping.errors import ConfigError

TaskType = Literal["ner", "sentiment-analysis", "text-classification"]
Role = Literal["train", "validation", "test"]
SolverName = Literal["ridge", "plain-ridge", "prototypes", "gradient"]
DevicesName = Literal["one", "mirrored", "multi-worker"]
PrecisionName = Literal["float32", "mixed_float16", "mixed_bfloat16"]
ROLES: tuple[Role, ...] = ("train", "validation", "test")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def _check_name(name: str) -> str:
    # A name becomes part of a path: no separators, no leading dot, so it cannot leave the store.
    if not _NAME.fullmatch(name) or ".." in name or len(name) > 100:
        raise ValueError(
            f"name {name!r} must be 1 to 100 letters, digits and . _ + - (no path), "
            "beginning with a letter or digit"
        )
    return name


def check_address(address: str) -> str:
    """Refuse an address that carries credentials, or more than a place. Raises ``ConfigError``.

    The message does not repeat what may be a secret.
    """
    scheme, _, rest = address.partition("://")
    if "@" in rest or "?" in rest or "#" in rest:
        raise ConfigError(
            f"an address {scheme}://… holds credentials or options (`@`, `?`, `#`): give the bare address, "
            f"such as {scheme}://bucket/prefix, and the credentials in the environment or in fsspec's "
            "configuration"
        )
    if not rest.strip("/") or ".." in rest.split("/") or not re.fullmatch(r"[a-z][a-z0-9]*", scheme):
        raise ConfigError(f"{address!r} is no address of a folder: expected one such as s3://bucket/prefix")
    if scheme in ("http", "https"):
        raise ConfigError(
            f"{address!r} can only be read: give a folder, or an address such as s3://bucket/prefix"
        )
    return address


def _check_home(home: str) -> str:
    return check_address(home) if "://" in home else home


Name = Annotated[str, AfterValidator(_check_name)]
Home = Annotated[str, AfterValidator(_check_home)]


def _in_order(schema: dict[str, Any]) -> None:
    # Without `position` the form of a Prefect deployment sorts its fields by their names.
    for position, field in enumerate(schema.get("properties", {}).values()):
        field["position"] = position


class _Part(BaseModel):
    """A part of the configuration: immutable, and strict about misspelt keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, json_schema_extra=_in_order)


class Hub(_Part):
    """A data set on the Hugging Face hub, read through ``datasets.load_dataset``."""

    path: str = Field(description="Name of the data set, such as `mteb/banking77`.")
    config: str | None = Field(None, description="Configuration of the data set, if it has several.")
    split: str = Field("train", description="Split to read.")
    revision: str | None = Field(None, description="Commit of the data set: pin it to repeat a run.")


class Columns(_Part):
    """Where a source keeps its fields: a column's name, or its number in files without a header."""

    text: str | int | None = Field(
        None,
        description="The text; for `ner` the words. A dotted name (`review.body`) looks into nested "
        "fields. Nothing set: `text`, or the first column of files without a header.",
    )
    text_pair: str | int | None = Field(None, description="The second text of a pair.")
    label: str | int | None = Field(
        None,
        description="The label; for `ner` the tags. Nothing set: `label` (`ner`: `tags`), or the "
        "last column of files without a header.",
    )


class Source(_Part):
    """One labelled corpus as a user has it."""

    name: Name = Field(description="Short unique name; it appears in reports and paths.")
    task_type: TaskType = Field(description="What the labels are about.")
    role: Role | None = Field(
        None, description="What the source is for. Leave out when `label_roles` splits it by labels."
    )
    label_roles: dict[Role, list[str] | str] | None = Field(
        None,
        description="Splits the source by labels: for each role a list of labels, "
        "or the path of a text file with one label a line.",
    )
    files: list[str] | None = Field(None, description="Local files: CSV, TSV, JSONL, Parquet, CoNLL.")
    hub: Hub | None = Field(None, description="A data set on the hub, instead of files.")
    format: Literal["csv", "tsv", "jsonl", "parquet", "conll"] | None = Field(
        None, description="Format of the files, if their suffix does not say it."
    )
    encoding: str = Field("utf-8", description="Text encoding of the files.")
    header: bool = Field(True, description="CSV and TSV: whether the first line names the columns.")
    quotes: bool | None = Field(
        None, description="Whether fields stand in double quotes. Nothing set: CSV yes, TSV no."
    )
    columns: Columns = Columns()
    labels: list[str] | None = Field(
        None,
        description="All labels of the source (`ner`: tags); a row with another one is rejected. "
        "Where the source writes numbers, they count into this list from 0.",
    )
    drop_labels: list[str] = Field(
        default_factory=list,
        description="Labels to leave out, with their rows (`ner`: entity types, read as outside).",
    )
    label_names: dict[str, str] = Field(
        default_factory=dict,
        description="Readable words for labels as written (`card_fee: fee for a card payment`). "
        "Without an entry, a label is read with its underscores and capitals taken apart.",
    )
    keep_all: bool = Field(
        False,
        description="Keep what `filters` and `duplicates` would leave out: for test files of which a "
        "published protocol measures every row.",
    )
    licence: str = Field("", description="Licence of the data, for the model card.")

    @model_validator(mode="after")
    def _check(self) -> Source:
        if (self.files is None) == (self.hub is None):
            raise ValueError(f"source {self.name!r} needs either `files` or `hub`, and not both")
        if self.files is not None and not self.files:
            raise ValueError(f"source {self.name!r} lists no files: name at least one")
        if (self.role is None) == (self.label_roles is None):
            raise ValueError(
                f"source {self.name!r} needs either `role` (one of {', '.join(ROLES)}) or "
                "`label_roles`, and not both"
            )
        if self.task_type == "ner" and (self.columns.text_pair is not None or self.label_roles):
            raise ValueError(f"source {self.name!r}: `ner` takes neither text pairs nor label_roles")
        return self

    @property
    def roles(self) -> set[Role]:
        """The roles that it serves, wholly or with some of its labels."""
        return set(self.label_roles) if self.label_roles else {self.role}  # type: ignore[arg-type]


CleanerName = Literal["encoding", "html", "unicode", "control", "urls", "users", "whitespace"]


class CleaningSpec(_Part):
    """What is changed in a text, in the corpus and later in the texts that users give."""

    cleaners: list[CleanerName] = Field(
        default=["encoding", "html", "unicode", "control", "whitespace"],
        description="What changes a text, in this order; `urls` and `users` put placeholders.",
    )
    repair_tags: bool = Field(
        True, description="`ner`: an I- tag that continues nothing begins an entity, else is rejected."
    )


class FilterSpec(_Part):
    """Which rows are left out for what their text is; a pair counts as one text."""

    min_characters: int = Field(1, ge=1, description="Shorter texts are rejected.")
    max_characters: int = Field(20_000, ge=1, description="Longer texts are rejected.")
    min_words: int = Field(1, ge=1, description="Texts of fewer words are rejected.")
    max_words: int | None = Field(None, ge=1, description="Texts of more words are rejected.")
    min_tokens: int | None = Field(None, ge=1, description="Texts of fewer tokens are rejected.")
    max_tokens: int | None = Field(
        None, ge=1, description="Texts of more tokens are rejected; nothing set: truncated, and kept."
    )
    letters: bool = Field(True, description="Reject texts without a single letter.")
    repetition: bool = Field(
        True, description="Reject long texts that repeat themselves, by the rules of Gopher."
    )
    languages: list[str] = Field(
        default_factory=list,
        description="Reject texts in other languages than these (`en`, `de` …). Needs the extra "
        "`languages`. Nothing set: any language.",
    )


class DuplicateSpec(_Part):
    """Which rows of one source say what another row says."""

    exact: bool = Field(
        True,
        description="Reject texts that stand in the source already, and all of them if their labels differ.",
    )
    near: bool = Field(
        True, description="Reject texts nearly like another one of the same label, by MinHash."
    )
    threshold: float = Field(
        0.85, gt=0, le=1, description="Share of common five-byte pieces from which texts are near."
    )
    num_permutations: int = Field(128, ge=16, le=1024, multiple_of=8, description="Of MinHash.")


class LeakageSpec(_Part):
    """Whether a text that is trained on may also be held out."""

    check: bool = Field(
        True,
        description="Reject training texts that also stand in a validation or test source, and "
        "validation texts that stand in a test source; nearly the same ones too, as `duplicates` says.",
    )


class ScratchEncoder(_Part):
    """A small BERT with random weights; its WordPiece vocabulary is learned from the train sources."""

    vocabulary_size: int = Field(4_000, ge=100)
    num_layers: int = Field(2, ge=1)
    num_heads: int = Field(4, ge=1)
    hidden_dim: int = Field(128, ge=8)
    intermediate_dim: int = Field(256, ge=8)


class EncoderSpec(_Part):
    """The encoder to start from: pretrained, or a small one from scratch."""

    preset: str | None = Field(
        None,
        description="A local Hugging Face or KerasHub folder, or an address that KerasHub reads "
        "(`hf://google-bert/bert-base-uncased`).",
    )
    scratch: ScratchEncoder | None = None
    max_length_tokens: int = Field(64, ge=8, le=8192, description="Longer texts are truncated.")
    trainable_layers: int | None = Field(
        None,
        ge=0,
        description="Train only this many upper layers, and freeze the embeddings and the rest. "
        "Nothing set: train everything.",
    )

    @model_validator(mode="after")
    def _check(self) -> EncoderSpec:
        if (self.preset is None) == (self.scratch is None):
            raise ValueError("encoder needs either `preset` or `scratch`, and not both")
        return self


class EpisodeSpec(_Part):
    """What a training batch looks like: texts of one source, cut into several splits."""

    max_ways: int = Field(12, ge=2, description="Most labels in a batch.")
    num_texts: int = Field(64, ge=4, description="Texts encoded in a batch, once for all its splits.")
    num_splits: int = Field(6, ge=2, description="Support and query splits of a batch; one is zero-shot.")
    max_shots: int = Field(8, ge=1, description="Most support examples a label.")
    max_ner_words: int = Field(384, ge=16, description="Words of a batch that a NER mapping sees.")
    query_weights: Literal["alike", "natural"] = Field(
        "alike",
        description="What a label's queries count in the loss: `alike`, or as often as the label stands "
        "in its source (`natural`), where rare labels will be rare in use as well.",
    )


class TrainingSpec(_Part):
    """The outer loop."""

    meta_steps: int = Field(100, ge=1, description="Meta-steps a round.")
    learning_rate: float = Field(3e-5, gt=0, description="Of encoder weights.")
    mapping_learning_rate_factor: float = Field(
        10.0, gt=0, description="The mapping's own weights learn this much faster."
    )
    warmup_steps: int = Field(20, ge=0)
    weight_decay: float = Field(0.01, ge=0)
    max_gradient_norm: float = Field(1.0, gt=0)
    checkpoint_every_steps: int = Field(25, ge=1, description="A kill loses at most this many steps.")
    keep_checkpoints: Literal["needed", "all"] = Field(
        "needed",
        description="Of earlier rounds keep the weights that a later round or publishing may read, a "
        "handful however many rounds there are, or those of `all` of them.",
    )
    jit_compile: bool = Field(False, description="Compile the meta-step with XLA.")
    num_batches: int = Field(
        1,
        ge=1,
        description="Batches of a meta-step, which goes along their mean gradient: one device computes "
        "them one after another, several share them.",
    )
    devices: DevicesName = Field(
        "one",
        description="What shares the batches of a meta-step: `one` device, all GPUs of this machine "
        "(`mirrored`), or of every machine in TF_CONFIG (`multi-worker`).",
    )
    precision: PrecisionName = Field(
        "float32",
        description="Of the encoder's arithmetic in training, by Keras' names; weights, solve and what "
        "is published are float32 always.",
    )
    solver: SolverName = Field(
        "ridge",
        description="How a mapping is computed from examples, in training and in use: `ridge` fits "
        "the prior's weight and λ to the task, `plain-ridge` takes the learned ones, `prototypes` "
        "the nearest mean, `gradient` a few inner steps.",
    )
    source_weights: dict[str, float] = Field(
        default_factory=dict, description="Sampling weight of a source, 1 where nothing is said."
    )


class EvaluationSpec(_Part):
    """The fixed few-shot episodes on held-out sources."""

    ways: int = Field(5, ge=2, description="Labels an episode; fewer where a source has fewer.")
    shots: list[Annotated[int, Field(ge=0)]] = Field(default=[0, 1, 4], min_length=1)
    num_queries: int = Field(10, ge=1, description="Queries a label; for `ner`, sentences in all / ways.")
    num_episodes: int = Field(30, ge=2, description="Episodes for each source and number of shots.")
    max_texts: int = Field(
        1_000, ge=10, description="Texts of a source that its episodes draw from, alike for each label."
    )


class ConvergenceSpec(_Part):
    """When to stop."""

    max_rounds: int = Field(5, ge=1)
    min_rounds: int = Field(1, ge=1, description="No convergence before this.")
    patience: int = Field(
        3, ge=1, description="Trained rounds that neither gain nor rise before it has converged."
    )
    target_accuracy: float | None = Field(
        None, ge=0, le=1, description="Stop when the mean over validation sources reaches it."
    )
    task_targets: dict[TaskType, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict, description="The same by task type; all targets must be reached."
    )
    max_seconds: float | None = Field(None, gt=0, description="Training time of all rounds.")
    population: Literal["sources", "episodes"] = Field(
        "sources",
        description="A gain must be clear for any sources like the validation sources (`sources`), "
        "or for these very ones (`episodes`).",
    )
    max_loss_factor: float = Field(
        2.0, gt=1, description="Diverged above this many times the highest loss a source had before."
    )
    max_source_fall: float | None = Field(
        None,
        ge=0,
        description="Diverged where a source falls clearly more than this below its untrained "
        "baseline, whatever the others gain. Nothing set: only where the mean gains nothing.",
    )

    @model_validator(mode="after")
    def _check(self) -> ConvergenceSpec:
        if self.min_rounds > self.max_rounds:
            raise ValueError(
                f"min_rounds {self.min_rounds} is more than max_rounds {self.max_rounds}: "
                "lower min_rounds or raise max_rounds"
            )
        return self


MoveName = Literal["average", "without", "settle", "regularise", "shots", "ways", "unfreeze", "scale"]


class AdjustmentSpec(_Part):
    """What the loop may change about the training, and how far."""

    moves: list[MoveName] = Field(
        default=["average", "without", "settle", "regularise", "shots", "ways", "unfreeze", "scale"],
        description="What is tried after a round without a gain, in this order, one move a round, each "
        "where its condition holds: `average` measures the mean of the last good rounds' weights; "
        "`without` trains without one source; `settle` lowers the learning rate and gives sources "
        "that lag more weight; `regularise` raises the weight decay; `shots` trains with more or fewer "
        "shots, `ways` with more or fewer labels at once; `unfreeze` trains one more layer; `scale` measures "
        "half more and half less of what training has changed in the leading round's weights. Empty: nothing "
        "is ever changed.",
    )
    learning_rate_factor: float = Field(0.5, gt=0, lt=1, description="On a plateau or divergence.")
    min_learning_rate: float = Field(1e-7, gt=0)
    source_weight_factor: float = Field(1.5, ge=1, description="More weight for sources that lag.")
    max_source_weight: float = Field(4.0, ge=1)
    min_source_weight: float = Field(0.1, gt=0, le=1, description="Of a source that is tried without.")
    max_weight_decay: float = Field(1.0, gt=0, description="`regularise` stops here.")
    min_shots: int = Field(1, ge=1, description="`shots` lowers `episodes.max_shots` no further.")
    max_shots: int = Field(16, ge=1, description="`shots` raises `episodes.max_shots` no further.")
    min_ways: int = Field(3, ge=2, description="`ways` lowers `episodes.max_ways` no further.")
    max_ways: int = Field(24, ge=2, description="`ways` raises `episodes.max_ways` no further.")

    @model_validator(mode="after")
    def _check(self) -> AdjustmentSpec:
        for what in ("shots", "ways"):
            least, most = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
            if least > most:
                raise ValueError(
                    f"min_{what} {least} is more than max_{what} {most}: lower min_{what} or raise max_{what}"
                )
        return self


class SelectionSpec(_Part):
    """Which of the train sources are trained on."""

    mode: Literal["all", "list", "related"] = Field(
        "all", description="All of them, those in `sources`, or those most `related` to the targets."
    )
    sources: list[Name] = Field(default_factory=list, description="`list`: the names to train on.")
    targets: list[Name] = Field(
        default_factory=list,
        description="`related`: train or validation sources that stand for what the encoder is for.",
    )
    num_sources: int | None = Field(None, ge=1, description="`related`: how many to train on.")

    @model_validator(mode="after")
    def _check(self) -> SelectionSpec:
        needed = {"all": set(), "list": {"sources"}, "related": {"targets", "num_sources"}}[self.mode]
        given = {name for name in ("sources", "targets", "num_sources") if getattr(self, name)}
        if given != needed:
            wants = " and ".join(f"`{name}`" for name in sorted(needed)) or "nothing else"
            raise ValueError(
                f"selection.mode {self.mode!r} takes {wants}, but "
                f"{', '.join(f'`{name}`' for name in sorted(given)) or 'nothing'} is given: mend `selection`"
            )
        return self


RunnerName = Literal["threads", "processes", "dask", "ray"]


class EngineSpec(_Part):
    """Where the corpus is prepared. It decides nothing about what comes out."""

    runner: RunnerName = Field(
        "threads",
        description="Threads or processes of this machine, or a cluster of Dask or Ray (extras `dask` "
        "and `ray`).",
    )
    num_workers: int | None = Field(
        None, ge=1, description="How many sources are worked on at once. Nothing set: one a core."
    )
    address: str | None = Field(
        None,
        description="Of a cluster that runs: `tcp://scheduler:8786` (Dask), `ray://head:10001` (Ray). "
        "Nothing set: one is started on this machine.",
    )

    @model_validator(mode="after")
    def _check(self) -> EngineSpec:
        if self.address is not None and self.runner not in ("dask", "ray"):
            raise ValueError(
                f"engine.address is given, but the runner {self.runner!r} has none: choose `dask` or `ray`, "
                "or drop the address"
            )
        if self.address is not None and self.num_workers is not None:
            raise ValueError(
                "engine.num_workers is given beside engine.address, but a cluster that runs has its own "
                "workers: drop one of them"
            )
        if self.address is not None and "@" in self.address:
            raise ValueError("engine.address holds credentials (`@`): give the bare address")
        return self


class RunConfig(_Part):
    """A whole run."""

    # What is refused may be a secret in an address, and refusals are logged.
    model_config = ConfigDict(hide_input_in_errors=True)

    name: Name = Field(description="What the run is called: the first part of its id.")
    home: Home = Field(
        ".metamapping",
        description="Folder of the store and the runs, or an address such as `s3://bucket/prefix`.",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Of all that is drawn by chance.")
    sources: list[Source] = Field(
        min_length=1, description="At least one each to train on, to validate on and to test on."
    )
    selection: SelectionSpec = SelectionSpec()
    encoder: EncoderSpec
    cleaning: CleaningSpec = CleaningSpec()
    filters: FilterSpec = FilterSpec()
    duplicates: DuplicateSpec = DuplicateSpec()
    leakage: LeakageSpec = LeakageSpec()
    episodes: EpisodeSpec = EpisodeSpec()
    training: TrainingSpec = TrainingSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    convergence: ConvergenceSpec = ConvergenceSpec()
    adjustment: AdjustmentSpec = AdjustmentSpec()
    engine: EngineSpec = EngineSpec()

    @model_validator(mode="after")
    def _check(self) -> RunConfig:
        _check_roles_are_disjoint(self.sources)
        present = {role for source in self.sources for role in source.roles}
        for role in ROLES:
            if role not in present:
                raise ValueError(f"no source has the role {role!r}: give at least one source that role")
        validated = {source.task_type for source in self.sources_with("validation")}
        for task_type in self.convergence.task_targets:
            if task_type not in validated:
                raise ValueError(
                    f"convergence.task_targets has a target for {task_type!r}, but no validation "
                    "source has that task type: add one or drop the target"
                )
        unknown = set(self.training.source_weights) - {source.name for source in self.sources}
        if unknown:
            raise ValueError(f"training.source_weights names no source: {', '.join(sorted(unknown))}")
        self._check_selection()
        return self

    def _check_selection(self) -> None:
        """Nothing is chosen on test sources, and only train sources can be trained on."""
        selection = self.selection
        train = {source.name for source in self.sources_with("train")}
        for name in selection.sources:
            if name not in train:
                raise ValueError(
                    f"selection.sources names {name!r}, which is no train source: choose from "
                    f"{', '.join(sorted(train))}"
                )
        for name in selection.targets:
            if name not in train | {source.name for source in self.sources_with("validation")}:
                raise ValueError(
                    f"selection.targets names {name!r}, which is no train or validation source: nothing "
                    "is chosen on test sources; name a validation source like it"
                )
        wanted = {source.task_type for source in self.sources if source.name in selection.targets}
        if selection.num_sources is not None and not len(wanted) <= selection.num_sources <= len(train):
            raise ValueError(
                f"selection.num_sources is {selection.num_sources}: expected {len(wanted)}, one for each "
                f"task type of the targets, to {len(train)}, the number of train sources"
            )

    def at_home(self, home: str) -> RunConfig:
        """The same run in another home: an address, or a folder whose path is made absolute."""
        if "://" in _check_home(home):
            return self.model_copy(update={"home": home.rstrip("/")})
        return self.model_copy(update={"home": str(Path(home).expanduser().absolute())})

    def sources_with(self, role: Role) -> list[Source]:
        """The sources that serve ``role``, wholly or with some of their labels."""
        return [source for source in self.sources if role in source.roles]


def readable_label(label: str, label_names: dict[str, str]) -> str:
    """The words under which a model reads ``label``: the configured ones, or the label taken apart.

    >>> readable_label("card_paymentFee", {})
    'card payment fee'
    """
    if label in label_names:
        return label_names[label]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", re.sub(r"[_\-/.:]+", " ", label))
    return " ".join(words.lower().split()) or label


def _check_roles_are_disjoint(sources: list[Source]) -> None:
    names: set[str] = set()
    origins: dict[str, Source] = {}
    for source in sources:
        if source.name in names:
            raise ValueError(f"two sources are named {source.name!r}: names must differ")
        names.add(source.name)
        keys = [os.path.normpath(file) for file in source.files or []]
        if source.hub:
            keys = [f"{source.hub.path}/{source.hub.config}/{source.hub.split}"]
        for key in keys:
            other = origins.setdefault(key, source)
            if other is not source and other.roles != source.roles:
                raise ValueError(
                    f"{key} is used by {other.name!r} as {'/'.join(sorted(other.roles))} and by "
                    f"{source.name!r} as {'/'.join(sorted(source.roles))}: two roles must not share "
                    "a source; use different files, or one source with `label_roles`"
                )
