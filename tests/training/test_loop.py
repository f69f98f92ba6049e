"""The training loop: it learns, resumes exactly, and stops at a loss that is not finite."""

import functools
import json
import math

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file

from metamapping.episodes.batches import build_batch
from metamapping.episodes.sampler import sample_batch
from metamapping.errors import StoreError
from metamapping.models.solvers.hyperparameters import VectorIndex
from metamapping.models.variables import model_variables
from metamapping.training.checkpoints import (
    drop_weights,
    latest_partial,
    load_checkpoint,
    load_weights,
    read_state,
    remove_partials,
    save_checkpoint,
    save_partial,
)
from metamapping.training.learner import build_learner
from metamapping.training.loop import RoundPlan, train_round
from metamapping.training.meta_step import differentiate, query_loss, update_weights
from metamapping.training.replicas import Replicas
from tests.toys import ENCODER, EPISODES, TRAINING, VOCABULARY_SIZE, ner_space, text_space

SPACES = [text_space(), text_space("pairs", pairs=True), ner_space()]


def new_learner(seed=0):
    return build_learner(ENCODER, TRAINING, vocabulary_size=VOCABULARY_SIZE, seed=seed)


def plan(**changes):
    training = TRAINING.model_copy(update=changes)
    return RoundPlan(round=1, seed=0, first_step=0, episodes=EPISODES, training=training)


def weights(learner):
    return {name: v.numpy() for name, v in model_variables(learner.encoder, learner.mapping).items()}


def draw_batch(index, spaces=SPACES):
    draw = sample_batch(np.random.default_rng(index), spaces, {}, EPISODES)
    batch = build_batch(spaces[draw.space], draw, EPISODES)
    return {key: tf.constant(value) for key, value in batch.items()}


@pytest.fixture
def learner():
    return new_learner()


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.source)
def test_groups_of_like_length_change_nothing_but_rounding(learner, space):
    batch = draw_batch(0, [space])
    together = {key: value for key, value in batch.items() if key != "group_ends"}
    assert len(batch["group_ends"]) > 1
    assert float(query_loss(learner, batch)) == pytest.approx(float(query_loss(learner, together)), rel=1e-5)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.source)
def test_texts_that_share_rows_have_the_losses_and_gradients_of_texts_alone(learner, space):
    batch = draw_batch(0, [space])
    alone = {key: value for key, value in batch.items() if not key.startswith(("packed", "group"))}
    assert len(batch) == len(alone) + 4
    packed_rows = batch["packed_shapes"].numpy()[:, 0].sum()
    assert packed_rows <= len(batch["packed_starts"])
    compiled = tf.function(functools.partial(differentiate, learner), autograph=False)
    (loss, gradients), (expected, of_alone) = compiled(batch), differentiate(learner, alone)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    for ours, theirs in zip(gradients, of_alone, strict=True):
        ours, theirs = (tf.convert_to_tensor(each).numpy() for each in (ours, theirs))
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * max(1.0, np.abs(theirs).max()))


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.source)
def test_training_lowers_the_query_loss_of_every_kind_of_source(learner, space):
    batch = draw_batch(0, [space])
    learner.encoder_optimizer.learning_rate = learner.mapping_optimizer.learning_rate = 3e-3
    step = tf.function(functools.partial(update_weights, learner, batch, max_norm=1.0), autograph=False)
    losses = [float(step()[0]) for _ in range(21)]
    assert losses[-1] < 0.8 * losses[0]


def test_the_loss_is_the_mean_of_the_queries_losses_by_their_weights(learner):
    batch = draw_batch(0, [SPACES[0]])
    is_query = batch["query"].numpy() > 0
    weights = np.where(is_query, np.random.default_rng(0).uniform(0.1, 2.0, is_query.shape), 0.0)

    compiled = tf.function(lambda query: query_loss(learner, {**batch, "query": query}), autograph=False)

    def loss(query):
        return float(compiled(tf.constant(query, tf.float32)))

    expected = []
    for split, of_split in enumerate(is_query):  # the loss of each query alone, with its split alone
        rest = np.zeros_like(weights)
        queries = np.flatnonzero(of_split)
        alone = []
        for query in queries:
            rest[:] = 0.0
            rest[split, query] = 1.0
            alone.append(loss(rest) * len(weights))
        expected.append(np.average(alone, weights=weights[split, queries]))
    assert loss(weights) == pytest.approx(np.mean(expected), rel=1e-4)


def test_an_interrupted_round_ends_with_the_same_weights_to_the_bit(tmp_path):
    undisturbed = new_learner()
    report = train_round(Replicas(undisturbed, TRAINING), SPACES, plan(), folder=tmp_path / "one")

    class KilledError(Exception):
        pass

    def kill(step, loss):
        if step == 5:
            raise KilledError

    with pytest.raises(KilledError):
        train_round(Replicas(new_learner(), TRAINING), SPACES, plan(), folder=tmp_path / "two", on_step=kill)
    resumed, steps = new_learner(seed=1), []
    again = train_round(
        Replicas(resumed, TRAINING),
        SPACES,
        plan(),
        folder=tmp_path / "two",
        on_step=lambda s, _: steps.append(s),
    )
    assert steps == [5, 6]  # the partial checkpoint after step 4 was the last
    assert again.source_losses == report.source_losses
    assert len(report.agreements) >= 3
    assert again.agreements == report.agreements
    for name, value in weights(undisturbed).items():
        np.testing.assert_array_equal(weights(resumed)[name], value, err_msg=name)


def test_a_loss_that_is_not_finite_ends_the_round_with_the_last_good_weights(learner, tmp_path):
    vector = learner.mapping.hyperparameter_vector
    vector.assign(np.full(vector.shape, np.nan))
    before = weights(learner)
    report = train_round(Replicas(learner, TRAINING), SPACES, plan(), folder=tmp_path / "partial")
    assert report.meta_steps == 1
    assert math.isnan(report.loss)
    assert report.bad_batch == "round-1-not-finite"
    kept = load_file(tmp_path / "round-1-not-finite" / "batch.safetensors")
    told = json.loads((tmp_path / "round-1-not-finite" / "batch.json").read_text())
    assert told["step"] == 1
    assert told["batches"][0]["source"] in {space.source for space in SPACES}
    batch = {name.removeprefix("0/"): tf.constant(value) for name, value in kept.items()}
    assert math.isnan(float(query_loss(learner, batch)))
    for name, value in weights(learner).items():
        if "encoder/" in name and "norm" not in name:
            np.testing.assert_allclose(value, before[name], atol=1e-4)
    assert all(np.isfinite(v).all() for n, v in weights(learner).items() if "encoder/" in n)


def test_the_gradient_of_the_loss_matches_finite_differences(learner):
    batch = draw_batch(3, [SPACES[0]])
    variable = learner.mapping.hyperparameter_vector
    ridge = np.eye(len(variable.numpy()))[VectorIndex.LOG_RIDGE]
    start = variable.numpy()
    with tf.GradientTape() as tape:
        loss = query_loss(learner, batch)
    exact = float(tape.gradient(loss, variable.value)[VectorIndex.LOG_RIDGE])

    def at(change):
        variable.assign(start + change * ridge)
        return float(query_loss(learner, batch))

    finite = (at(0.001) - at(-0.001)) / 0.002
    assert exact == pytest.approx(finite, rel=0.02)


def test_queries_of_one_split_do_not_see_another_splits_support(learner):
    batch = draw_batch(0, [SPACES[0]])
    alone = {
        key: value[1:2] if key in ("label_mask", "support", "query") else value
        for key, value in batch.items()
    }
    other = dict(batch)
    other["support"] = tf.concat([batch["support"][1:2], batch["support"][2:3]], axis=0)
    for key in ("label_mask", "query"):
        other[key] = tf.concat([batch[key][1:2], batch[key][2:3]], axis=0)
    second = {
        key: value[1:2] if key in ("label_mask", "support", "query") else value
        for key, value in other.items()
    }
    together = float(query_loss(learner, other))
    assert together == pytest.approx(
        (float(query_loss(learner, alone)) + float(query_loss(learner, second))) / 2, rel=1e-5
    )


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_lower_precision_trains_float32_weights_that_a_float32_encoder_reads(precision, tmp_path):
    training = TRAINING.model_copy(update={"precision": precision})
    low, plain = (
        build_learner(ENCODER, each, vocabulary_size=VOCABULARY_SIZE, seed=0) for each in (training, TRAINING)
    )
    before, batch = weights(low), draw_batch(0, [SPACES[0]])
    low.encoder_optimizer.learning_rate = low.mapping_optimizer.learning_rate = 1e-3
    for _ in range(4):  # in float16, the first ones overflow and are skipped
        loss, _ = update_weights(low, batch, max_norm=1.0)
        assert np.isfinite(loss)
    assert low.encoder.backbone.dtype_policy.name == precision
    assert {value.dtype for value in weights(low).values()} == {np.dtype(np.float32)}
    assert any(np.abs(value - before[name]).max() > 1e-4 for name, value in weights(low).items())
    save_checkpoint(tmp_path / "round-1", low, {"step": 2})
    load_weights(tmp_path / "round-1", plain)
    features = low.encoder.texts(batch)
    assert features.dtype == tf.float32
    np.testing.assert_allclose(features, plain.encoder.texts(batch), atol=0.03)


def test_frozen_layers_do_not_move():
    encoder = ENCODER.model_copy(update={"trainable_layers": 1})
    learner = build_learner(encoder, TRAINING, vocabulary_size=VOCABULARY_SIZE, seed=0)
    before = weights(learner)
    learner.encoder_optimizer.learning_rate = 1e-2
    update_weights(learner, draw_batch(0), max_norm=1.0)
    moved = {
        name.split("/")[1] for name, v in weights(learner).items() if not np.array_equal(v, before[name])
    }
    assert "transformer_layer_0" in moved
    assert "token_embedding" not in moved


def test_a_checkpoint_is_read_back_as_it_was(learner, tmp_path):
    update_weights(learner, draw_batch(0), max_norm=1.0)
    save_checkpoint(tmp_path / "round-1", learner, {"step": 1})
    other = new_learner(seed=5)
    assert load_checkpoint(tmp_path / "round-1", other) == {"step": 1}
    for name, value in weights(learner).items():
        np.testing.assert_array_equal(weights(other)[name], value)
    assert int(other.encoder_optimizer.iterations) == int(learner.encoder_optimizer.iterations)


def test_a_truncated_checkpoint_is_named(learner, tmp_path):
    save_checkpoint(tmp_path / "round-1", learner, {"step": 1})
    file = tmp_path / "round-1" / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(StoreError, match=r"weights\.safetensors is missing or not .* trained again"):
        load_checkpoint(tmp_path / "round-1", learner)


def test_of_a_damaged_partial_checkpoint_the_one_before_is_taken(learner, tmp_path):
    for step in (2, 4, 6):
        save_partial(tmp_path, learner, {"step": step})
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["partial-000004", "partial-000006"]
    file = tmp_path / "partial-000006" / "optimizer.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert latest_partial(tmp_path) == tmp_path / "partial-000004"
    assert len(list(tmp_path.glob(".damaged-partial-000006-*"))) == 1


def test_a_checkpoint_without_its_weights_keeps_its_state_and_says_where_they_went(learner, tmp_path):
    save_checkpoint(tmp_path / "round-1", learner, {"step": 1})
    drop_weights(tmp_path / "round-1")
    assert read_state(tmp_path / "round-1") == {"step": 1}
    with pytest.raises(StoreError, match=r"no longer has weights: `training\.keep_checkpoints` removed them"):
        load_checkpoint(tmp_path / "round-1", learner)


def test_a_checkpoint_of_another_encoder_is_refused(learner, tmp_path):
    save_checkpoint(tmp_path / "round-1", learner, {"step": 1})
    larger = ENCODER.model_copy(update={"scratch": ENCODER.scratch.model_copy(update={"num_layers": 2})})
    with pytest.raises(StoreError, match="holds other weights than this encoder has"):
        load_checkpoint(
            tmp_path / "round-1", build_learner(larger, TRAINING, vocabulary_size=VOCABULARY_SIZE, seed=0)
        )


def test_a_folder_without_state_is_no_checkpoint(tmp_path):
    assert read_state(tmp_path) is None
    remove_partials(tmp_path / "never-there")
