"""The cluster of a multi-worker run, as TensorFlow's variable TF_CONFIG describes it on each machine.

cluster = Cluster.of_environment()
cluster.is_chief
cluster.named_in(output)                     # "worker 1 (10.0.0.2:2222)"
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from metamapping.errors import ConfigError

# How TensorFlow's errors name a worker: "/job:worker/replica:0/task:1", or without the replica.
_TASK = re.compile(r"/job:worker(?:/replica:\d+)?/task:(\d+)")

_ADDRESS = re.compile(r"\S+:\d{1,5}")


@dataclass(frozen=True)
class Cluster:
    """The workers of a run, and which of them this machine is.

    Attributes:
        index: This machine's number, from 0; worker 0 is the chief.
        addresses: ``host:port`` of each worker.
    """

    index: int
    addresses: tuple[str, ...]

    @classmethod
    def of_environment(cls) -> Cluster:
        """Read TF_CONFIG.

        Raises:
            ConfigError: TF_CONFIG is missing or does not describe a cluster of workers.
        """
        text = os.environ.get("TF_CONFIG", "")
        expected = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
        try:
            config = json.loads(text)
            workers, task = config["cluster"]["worker"], config["task"]
            index = int(str(task["index"]))
            is_valid = list(config["cluster"]) == ["worker"] and task["type"] == "worker"
            is_valid = is_valid and _are_addresses(workers) and 0 <= index < len(workers)
        except (ValueError, KeyError, TypeError):
            is_valid = False
        if not is_valid:
            raise ConfigError(
                f"training.devices is multi-worker, but TF_CONFIG is {text!r}: expected {expected}, with "
                "every machine once under `worker` (the first is the chief) and its own index"
            )
        return cls(index, tuple(workers))

    @property
    def is_chief(self) -> bool:
        """Whether this machine runs the stages and writes."""
        return self.index == 0

    def named_in(self, output: Iterable[str]) -> str:
        """Name the other workers that lines of output speak of.

        Args:
            output: The last lines of a process of this worker that has failed.

        Returns:
            Their numbers and addresses, such as ``worker 1 (10.0.0.2:2222)``; empty if there is none.
        """
        found = {int(number) for line in output for number in _TASK.findall(line)} - {self.index}
        known = sorted(number for number in found if number < len(self.addresses))
        return ", ".join(f"worker {number} ({self.addresses[number]})" for number in known)


def _are_addresses(workers: Any) -> bool:
    """Whether these are ``host:port``, each another one."""
    return (
        isinstance(workers, list)
        and all(isinstance(each, str) and _ADDRESS.fullmatch(each) for each in workers)
        and len(set(workers)) == len(workers)
    )
