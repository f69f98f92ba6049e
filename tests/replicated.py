"""A toy round in a process of its own, as logical devices and workers are made before TensorFlow starts.

    python -m tests.replicated FOLDER mirrored --num-devices 2
    TF_CONFIG=… python -m tests.replicated FOLDER multi-worker

Writes the weights of every copy to ``FOLDER/<devices>-<task>.npz``; partial checkpoints go to
``FOLDER/<devices>-partial``.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from metamapping.models.variables import model_variables
from metamapping.training.learner import build_learner
from metamapping.training.loop import RoundPlan, train_round
from metamapping.training.replicas import Replicas, strategy_of
from tests.toys import ENCODER, EPISODES, TRAINING, VOCABULARY_SIZE, ner_space, text_space

NUM_BATCHES = 4


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("devices", nargs="+")
    parser.add_argument("--num-devices", type=int, default=1)
    parser.add_argument("--meta-steps", type=int, default=2)
    parser.add_argument("--seconds-a-step", type=float, default=0.0)
    options = parser.parse_args()
    cpu = tf.config.list_physical_devices("CPU")[0]
    if options.num_devices > 1:
        logical = [tf.config.LogicalDeviceConfiguration()] * options.num_devices
        tf.config.set_logical_device_configuration(cpu, logical)
    for devices in options.devices:
        train(devices, options.folder, options.meta_steps, options.seconds_a_step)


def train(devices: str, folder: Path, meta_steps: int, seconds_a_step: float) -> None:
    strategy_of(devices)
    training = TRAINING.model_copy(
        update={"devices": devices, "num_batches": NUM_BATCHES, "meta_steps": meta_steps}
    )
    plan = RoundPlan(round=1, seed=0, first_step=0, episodes=EPISODES, training=training)
    learner = build_learner(ENCODER, training, vocabulary_size=VOCABULARY_SIZE, seed=0)
    replicas = Replicas(learner, training)
    report = train_round(
        replicas,
        [text_space(), ner_space()],
        plan,
        folder=folder / f"{devices}-partial",
        on_step=lambda step, loss: time.sleep(seconds_a_step),
    )
    task = json.loads(os.environ.get("TF_CONFIG", '{"task": {"index": 0}}'))["task"]["index"]
    weights = {
        f"{copy}/{name}": variable.numpy()
        for copy, each in enumerate(replicas.learners)
        for name, variable in model_variables(each.encoder, each.mapping).items()
    }
    np.savez(folder / f"{devices}-{task}.npz", loss=report.loss, **weights)


if __name__ == "__main__":
    main()
