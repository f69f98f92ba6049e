"""What tests of tuning share: a small task, changes of layers, and steps that tune nothing but a number."""

from dataclasses import replace

import numpy as np

from metamapping import Mapping
from metamapping.adaptation.algebra.support import Examples
from metamapping.adaptation.state import empty_state
from metamapping.adaptation.state_changes import with_examples
from metamapping.adaptation.tuning.tuning_record import Tuning
from metamapping.models.weight_delta import WeightDelta

TEXTS = [
    "where is my parcel",
    "my parcel has not arrived",
    "the delivery is late again",
    "nobody answers about the delivery",
    "i want my money back",
    "please refund the order",
    "refund the broken lamp",
    "i sent the lamp back",
]
LABELS = ["delivery"] * 4 + ["refund"] * 4


def change_of(on_tensorflow, num_layers):
    """A change of the last layers that is large enough to be seen."""
    rng = np.random.default_rng(0)
    base = on_tensorflow.featurizer.model.encoder.tuned_layers(num_layers).base
    tuned = {name: array + 0.1 * rng.normal(size=array.shape).astype("f4") for name, array in base.items()}
    return WeightDelta.between(base, tuned, rank=4)


def tuned_mapping(mapper, delta, scale_factor=1.0):
    """The task of ``TEXTS`` as if tuning had decided for a change."""
    featurizer = mapper.featurizer.tuned(delta)
    record = Tuning(1.0, 16, 2.5, 8, -0.7, -0.6, 0.02, "it helped", scale_factor)
    state = replace(empty_state(featurizer, "text-classification"), tuning=record)
    return Mapping(featurizer, with_examples(featurizer, state, Examples(TEXTS, LABELS, None), {}))


class ToySteps:
    """Weights are a number: at 0 and 1 the features of the items are those given, between them a mean.

    The features of label names are zeros, float32 ``(num_labels, dim)``.
    """

    start = 0.0

    def __init__(self, untuned, tuned, names):
        self.untuned, self.tuned, self.names = untuned, tuned, np.zeros_like(names)

    def take(self, fold, rows):
        return 1.0

    def shares(self, weights, shares):
        return [share * weights for share in shares]

    def features(self, weights):
        return (1 - weights) * self.untuned + weights * self.tuned, self.names
