"""The engine: where the corpus is prepared and, on request, rounds are evaluated. It changes no result.

Threads and processes need nothing; Dask and Ray can use a running cluster by its address.

    EngineSpec(runner="dask", address="tcp://scheduler:8786")
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from metamapping.config.part import Part

RunnerName = Literal["threads", "processes", "dask", "ray"]


class EngineSpec(Part):
    """Where the corpus is prepared, and on request rounds evaluated; this does not affect the result."""

    runner: RunnerName = Field(
        "threads",
        description="Where sources are processed: in threads or processes of this machine, or on a Dask or "
        "Ray cluster (extras `dask` and `ray`).",
    )
    num_workers: int | None = Field(
        None,
        ge=1,
        description="Number of sources that are processed at once. Default: one per core of this machine.",
    )
    address: str | None = Field(
        None,
        description="Address of a running cluster: `tcp://scheduler:8786` (Dask), `ray://head:10001` (Ray). "
        "Default: a cluster is started on this machine.",
    )

    evaluate: bool = Field(
        False,
        description="Whether the workers of the Dask or Ray cluster also evaluate the held-out sources of a "
        "round, several at once. Each of them needs the extra `train`, reads the home and starts TensorFlow.",
    )

    @model_validator(mode="after")
    def _check(self) -> EngineSpec:
        if self.address is not None and self.runner not in ("dask", "ray"):
            raise ValueError(
                f"engine.address is given, but the runner {self.runner!r} has none: choose `dask` or `ray`, "
                "or drop the address"
            )
        if self.evaluate and self.runner not in ("dask", "ray"):
            raise ValueError(
                f"engine.evaluate is on, but the runner {self.runner!r} has this machine alone, all cores of "
                "which evaluating uses anyway: choose `dask` or `ray`, or drop it"
            )
        if self.address is not None and self.num_workers is not None:
            raise ValueError(
                "engine.num_workers is given together with engine.address, but a running cluster has its own "
                "workers: drop one of them"
            )
        if self.address is not None and "@" in self.address:
            raise ValueError("engine.address holds credentials (`@`): give the bare address")
        return self
