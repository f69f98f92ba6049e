"""The whole loop of training, judging and adjusting, on simulated learners whose true accuracy is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metamapping.config.rounds import AdjustmentSpec, ConvergenceSpec
from metamapping.config.training import TrainingSpec
from tests.simulated_learner import DIM, SimulatedLearner, SimulatedRun, simulate

SEEDS = [0, 1, 2]
GOOD = {"coffee": 1.0, "books": 1.0, "hotel": 1.0, "intents": 1.0}
AS_CONFIGURED = AdjustmentSpec(moves=[])


def run(
    learner: SimulatedLearner,
    learning_rate: float,
    adjustment: AdjustmentSpec | None = None,
    **convergence: int,
) -> SimulatedRun:
    return simulate(
        learner,
        training=TrainingSpec(meta_steps=50, learning_rate=learning_rate),
        convergence=ConvergenceSpec(**{"max_rounds": 10, "patience": 3, **convergence}),
        adjustment=adjustment or AdjustmentSpec(),
    )


def uninterrupted_quality(learner: SimulatedLearner, learning_rate: float, like: SimulatedRun):
    """The true accuracy after a single training with as many meta-steps as the run."""
    steps = sum(judged.report.training.meta_steps for judged in like.history)
    training = TrainingSpec(meta_steps=steps, learning_rate=learning_rate)
    return learner.quality(learner.train(np.zeros(DIM), training, 1)[0])


def states(run: SimulatedRun) -> list[str]:
    return [judged.verdict.state for judged in run.history]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_learner_that_saturates_converges_below_its_noise_floor(seed):
    learner = SimulatedLearner(seed=seed)
    judged = run(learner, 0.5)
    assert states(judged)[0] == "IMPROVING"
    assert states(judged)[-1] == "CONVERGED"
    assert judged.published_quality > uninterrupted_quality(learner, 0.5, judged) + 0.02


def test_moves_improve_a_learner_that_saturates():
    gains = []
    for seed in range(5):
        learner = SimulatedLearner(seed=seed)
        adjusted, unadjusted = run(learner, 0.5), run(learner, 0.5, AS_CONFIGURED)
        gains.append(adjusted.published_quality - unadjusted.published_quality)
    assert np.mean(gains) > 0.01


@pytest.mark.parametrize("seed", SEEDS)
def test_a_learner_that_diverges_is_detected_and_recovers(seed):
    learner = SimulatedLearner(seed=seed, gradient_noise=0.3)
    judged = run(learner, 2.3)
    assert states(judged)[0] == "DIVERGED"
    assert judged.history[0].report.round == 1
    assert judged.history[0].adjustments[0].new == 0
    assert judged.published_quality > 0.78
    assert run(learner, 2.3, AS_CONFIGURED, max_rounds=3).published_quality == 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_a_learner_that_oscillates_gets_smaller_steps(seed):
    judged = run(SimulatedLearner(seed=seed, gradient_noise=0.3), 1.9)
    rates = [judged.report.training.learning_rate for judged in judged.history]
    assert rates == sorted(rates, reverse=True)
    assert judged.published_quality > 0.78


def test_a_learner_that_keeps_improving_stays_unchanged_until_its_rounds_are_used():
    judged = run(SimulatedLearner(gradient_noise=0.1), 0.005, max_rounds=3)
    assert states(judged) == ["IMPROVING", "IMPROVING", "EXHAUSTED"]
    assert not any(judged.adjustments for judged in judged.history)
    assert "It was the last of 3 rounds" in judged.history[-1].verdict.sentence


def test_when_all_sources_mislead_the_encoder_before_meta_training_is_published():
    judged = run(SimulatedLearner(optima=dict.fromkeys(GOOD, -0.5)), 0.05)
    assert judged.history[-1].verdict.best_round == 0
    assert judged.published_quality == 0.5
    assert "No round has clearly beaten the encoder before" in judged.history[-1].verdict.sentence


def test_a_planted_harmful_source_is_removed_first_and_training_improves():
    gains = []
    for seed in range(5):
        learner = SimulatedLearner(seed=seed, gradient_noise=0.5, optima={**GOOD, "poison": -2.0})
        judged = run(learner, 0.05, max_rounds=12, patience=4)
        tried = [r.move for r in judged.history if r.move.startswith("without")]
        assert tried[0] == "without poison"
        unadjusted = run(learner, 0.05, AS_CONFIGURED, max_rounds=12, patience=4)
        gains.append(judged.published_quality - unadjusted.published_quality)
    assert np.mean(gains) > 0.01


def test_a_clear_gain_without_the_planted_source_keeps_it_out():
    learner = SimulatedLearner(seed=0, gradient_noise=0.5, optima={**GOOD, "poison": -1.0})
    judged = run(learner, 0.05, max_rounds=12, patience=4)
    trial = [r.move for r in judged.history].index("without poison") + 1
    weights = [r.report.training.source_weights.get("poison", 1.0) for r in judged.history]
    assert judged.history[trial].verdict.state == "IMPROVING"
    assert weights == [1.0] * trial + [AdjustmentSpec().min_source_weight] * (len(weights) - trial)


@settings(max_examples=15)
@given(
    st.builds(
        SimulatedLearner,
        optima=st.lists(st.floats(-2, 2), min_size=1, max_size=5).map(
            lambda values: {f"source{i}": value for i, value in enumerate(values)}
        ),
        gradient_noise=st.floats(0, 3),
        seed=st.integers(0, 99),
    ),
    st.floats(1e-3, 3),
    st.integers(1, 5),
    st.integers(1, 4),
)
def test_every_run_ends_within_its_bounds_and_gives_its_reasons(learner, rate, max_rounds, patience):
    judged = run(learner, rate, max_rounds=max_rounds, patience=patience)
    assert len(judged.history) <= max_rounds
    assert [r.verdict.is_final for r in judged.history] == [False] * (len(judged.history) - 1) + [True]
    assert all(r.verdict.sentence for r in judged.history)
    assert all(a.why for r in judged.history for a in r.adjustments)
    assert all(len({a.move for a in r.adjustments} - {""}) <= 1 for r in judged.history)
    assert np.isfinite(judged.published_quality)
