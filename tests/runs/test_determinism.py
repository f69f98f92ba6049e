"""The same configuration gives the same weights on the same machine, in another process too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TRAIN = """
import hashlib, pathlib, sys
from metamapping.models.variables import model_variables
from metamapping.training.learner import build_learner
from metamapping.training.loop import RoundPlan, train_round
from metamapping.training.replicas import Replicas
from tests.toys import ENCODER, EPISODES, TRAINING, VOCABULARY_SIZE, ner_space, text_space

training = TRAINING.model_copy(update={"meta_steps": 3, "solver": "plain-ridge"})
plan = RoundPlan(round=1, seed=int(sys.argv[2]), first_step=0, episodes=EPISODES, training=training)
learner = build_learner(ENCODER, training, vocabulary_size=VOCABULARY_SIZE, seed=int(sys.argv[2]))
train_round(Replicas(learner, training), [text_space(), ner_space()], plan, folder=pathlib.Path(sys.argv[1]))
weights = model_variables(learner.encoder, learner.mapping)
print(hashlib.blake2b(b"".join(weights[name].numpy().tobytes() for name in sorted(weights))).hexdigest())
"""


def trained(folder: Path, seed: int) -> str:
    """Train in a new process, and return a checksum of the weights."""
    command = [sys.executable, "-c", TRAIN, str(folder), str(seed)]
    root = Path(__file__).parents[2]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split()[-1]


@pytest.mark.slow
def test_two_processes_train_the_same_weights_and_another_seed_others(tmp_path: Path) -> None:
    first, second, other = (trained(tmp_path / name, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert first == second
    assert other != first
