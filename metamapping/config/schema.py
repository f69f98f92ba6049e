"""The configuration of a run, as one immutable value.

Everything that a run does follows from its ``RunConfig`` and the bytes of its sources; fingerprints are
computed over parts of it. ``config.loading.read_config`` reads it from YAML, and the form of a Prefect
deployment is generated from it, so every setting has a description.

    config = RunConfig(name="demo", sources=[...], encoder=EncoderSpec(scratch=ScratchEncoder()))
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ConfigDict, Field, model_validator

from metamapping.config.addresses import Home, check_home
from metamapping.config.corpus import CleaningSpec, DuplicateSpec, FilterSpec, LabelNoiseSpec, LeakageSpec
from metamapping.config.encoder import EncoderSpec
from metamapping.config.engine import EngineSpec
from metamapping.config.episodes import EpisodeSpec, EvaluationSpec
from metamapping.config.part import Name, Part
from metamapping.config.promotion import PromotionSpec
from metamapping.config.rounds import AdjustmentSpec, ConvergenceSpec
from metamapping.config.selection import SelectionSpec
from metamapping.config.source_roles import check_names_and_roles
from metamapping.config.sources import Role, Source
from metamapping.config.tracking import TrackingSpec
from metamapping.config.training import TrainingSpec

# Values of `start`; all others are ids of runs.
PRETRAINED, PRODUCTION = "pretrained", "production"


class RunConfig(Part):
    """A whole run."""

    # An address that is rejected may contain a secret, and error messages are logged.
    model_config = ConfigDict(hide_input_in_errors=True)

    name: Name = Field(description="Name of the run, the first part of its id.")
    home: Home = Field(
        ".metamapping",
        description="Folder of the store and the runs, or an address such as `s3://bucket/prefix`.",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of all random draws.")
    sources: list[Source] = Field(
        min_length=1,
        description="Labelled sources: at least one each for training, validation and the final test.",
        # Last in a form: a dozen sources take many pages there, and the other settings would be behind them.
        json_schema_extra={"position": 100},
    )
    selection: SelectionSpec = Field(
        SelectionSpec(), description="Selection of the train sources to train on."
    )
    start: str = Field(
        PRETRAINED,
        description="Where training starts: from the `encoder` as it is described (`pretrained`), or from "
        "the encoder and mapping that are in production (`production`; before the first promotion as "
        "`pretrained`). The id of a published run of this home is possible, too.",
    )
    encoder: EncoderSpec = Field(description="Encoder to start from, and the part of it that is trained.")
    cleaning: CleaningSpec = Field(CleaningSpec(), description="Cleaning of the texts.")
    filters: FilterSpec = Field(FilterSpec(), description="Limits beyond which rows are rejected.")
    duplicates: DuplicateSpec = Field(DuplicateSpec(), description="Rejection of duplicates within a source.")
    leakage: LeakageSpec = Field(
        LeakageSpec(), description="Rejection of training texts that are also held out."
    )
    label_noise: LabelNoiseSpec = Field(
        LabelNoiseSpec(), description="Labels that are probably wrong: listed, or rejected from training."
    )
    episodes: EpisodeSpec = Field(EpisodeSpec(), description="Shape of the training batches.")
    training: TrainingSpec = Field(TrainingSpec(), description="Settings of the outer loop.")
    evaluation: EvaluationSpec = Field(
        EvaluationSpec(), description="Few-shot episodes on the validation and test sources."
    )
    convergence: ConvergenceSpec = Field(
        ConvergenceSpec(), description="Targets, patience and limits that end a run."
    )
    adjustment: AdjustmentSpec = Field(
        AdjustmentSpec(), description="Changes that are allowed between rounds, and their bounds."
    )
    promotion: PromotionSpec = Field(
        PromotionSpec(), description="Whether the published encoder goes into production."
    )
    tracking: TrackingSpec = Field(TrackingSpec(), description="Copy of the run on an MLflow server.")
    engine: EngineSpec = Field(
        EngineSpec(), description="Where the corpus is prepared; without effect on the result."
    )

    @model_validator(mode="after")
    def _check(self) -> RunConfig:
        check_names_and_roles(self.sources)
        validated = {source.task_type for source in self.sources_with("validation")}
        for task_type in self.convergence.task_targets:
            if task_type not in validated:
                raise ValueError(
                    f"convergence.task_targets has a target for {task_type!r}, but no validation "
                    "source has that task type: add one or drop the target"
                )
        unknown = set(self.training.source_weights) - {source.name for source in self.sources}
        if unknown:
            raise ValueError(
                f"training.source_weights names sources that do not exist: {', '.join(sorted(unknown))}: "
                "correct or drop them"
            )
        self._check_selection()
        self._check_solver()
        return self

    def _check_solver(self) -> None:
        """Several labels a text take a ridge regression."""
        several = [source.name for source in self.sources if source.multi_label]
        if several and self.training.solver not in ("ridge", "plain-ridge"):
            raise ValueError(
                f"source {several[0]!r} has `multi_label`, which training.solver {self.training.solver!r} "
                "does not support: choose `ridge` or `plain-ridge`, or leave the source out"
            )

    def _check_selection(self) -> None:
        """Nothing is selected by test sources, and only train sources can be trained on."""
        selection = self.selection
        train = {source.name for source in self.sources_with("train")}
        for name in selection.sources:
            if name not in train:
                raise ValueError(
                    f"selection.sources names {name!r}, which is not a train source: choose from "
                    f"{', '.join(sorted(train))}"
                )
        for name in selection.targets:
            if name not in train | {source.name for source in self.sources_with("validation")}:
                raise ValueError(
                    f"selection.targets names {name!r}, which is not a train or validation source: nothing "
                    "is chosen on test sources; name a similar validation source"
                )
        wanted = {source.task_type for source in self.sources if source.name in selection.targets}
        if selection.num_sources is not None and not len(wanted) <= selection.num_sources <= len(train):
            raise ValueError(
                f"selection.num_sources is {selection.num_sources}: expected {len(wanted)}, one for each "
                f"task type of the targets, to {len(train)}, the number of train sources"
            )

    def at_home(self, home: str) -> RunConfig:
        """Return the same run in another home.

        Args:
            home: A remote address, or a folder whose path becomes absolute.

        Returns:
            A copy of the configuration.

        Raises:
            ConfigError: If the address is not valid.
        """
        if "://" in check_home(home):
            return self.model_copy(update={"home": home.rstrip("/")})
        return self.model_copy(update={"home": str(Path(home).expanduser().absolute())})

    def sources_with(self, role: Role) -> list[Source]:
        """Return the sources with a role, for all or for some of their labels.

        Args:
            role: The role to look for.
        """
        return [source for source in self.sources if role in source.roles]
