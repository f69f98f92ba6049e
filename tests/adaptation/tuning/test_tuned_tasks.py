"""Tasks with an encoder of their own: what they compute, and that they are saved, changed and exported."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from metamapping import Mapping, MetaMapper
from metamapping.adaptation.algebra.support import Examples
from metamapping.adaptation.state import empty_state
from metamapping.adaptation.state_changes import with_examples, with_features, with_labels
from metamapping.adaptation.tuning.tuning_record import Tuning
from metamapping.errors import StoreError
from metamapping.models.weight_delta import WeightDelta
from metamapping.serving.batching import BatchingFeaturizer
from tests.adaptation.tuning.toy_tuning import LABELS, TEXTS, change_of, tuned_mapping


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_a_change_of_any_number_of_layers_is_the_same_on_both_backends(mapper, on_tensorflow, num_layers):
    change = change_of(on_tensorflow, num_layers)
    plain = mapper.featurizer.texts(TEXTS)
    tuned = mapper.featurizer.tuned(change).texts(TEXTS)
    differences = np.abs(tuned - plain).reshape(len(TEXTS), 3, -1).max(axis=(0, 2))
    # Only from the second layer of three on, the views of the lower states change as well.
    assert (differences > 0.01).tolist() == [True, num_layers > 1, num_layers > 1]
    np.testing.assert_allclose(on_tensorflow.featurizer.tuned(change).texts(TEXTS), tuned, atol=1e-4)


def test_an_encoder_of_a_single_layer_can_be_tuned(published):
    featurizer = MetaMapper.from_pretrained(published, backend="tensorflow").featurizer
    change = change_of(MetaMapper(featurizer.model), 1)
    of_runtime = MetaMapper.from_pretrained(published, backend="runtime").featurizer.tuned(change)
    tuned = featurizer.tuned(change).texts(TEXTS, None)
    np.testing.assert_allclose(tuned, of_runtime.texts(TEXTS, None), atol=1e-5)
    assert np.abs(tuned - featurizer.texts(TEXTS, None)).max() > 0.05


def test_embeddings_cannot_be_changed(mapper, on_tensorflow, delta):
    name = "bert.embeddings.word_embeddings.weight"
    factors = (np.zeros((8, 1), np.float16), np.zeros((1, 8), np.float16))
    other = WeightDelta({**delta.matrices, name: factors}, delta.vectors)
    for each in (mapper, on_tensorflow):
        with pytest.raises(ValueError, match="not those of this encoder"):
            each.featurizer.tuned(other)


def test_the_encoder_and_its_other_tasks_are_as_before_to_the_bit(on_tensorflow, delta):
    encoder = on_tensorflow.featurizer.model.encoder
    weights = [weight.numpy() for weight in encoder.backbone.weights]
    features = on_tensorflow.featurizer.texts(TEXTS)
    tuned_mapping(on_tensorflow, delta).predict(TEXTS)
    on_tensorflow.adapt(TEXTS, LABELS, tune=True).predict(TEXTS)
    for weight, before in zip(encoder.backbone.weights, weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), before)
    np.testing.assert_array_equal(on_tensorflow.featurizer.texts(TEXTS), features)


def test_a_saved_task_predicts_the_same_after_loading(mapper, on_tensorflow, delta, tmp_path):
    mapping = tuned_mapping(mapper, delta)
    before = mapping.predict_proba(TEXTS)
    mapping.save(tmp_path / "task")
    loaded = Mapping.load(tmp_path / "task", mapper)
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), before)
    assert loaded.tuning == mapping.tuning
    assert Mapping.load(tmp_path / "task", on_tensorflow).predict(TEXTS) == mapping.predict(TEXTS)
    loaded.save(tmp_path / "again")
    again = Mapping.load(tmp_path / "again", mapper)
    np.testing.assert_array_equal(again.predict_proba(TEXTS), before)


def test_tasks_of_which_only_the_upper_layers_were_tuned_are_read_as_before(mapper, on_tensorflow, tmp_path):
    """As the first release that tuned has saved them, without the number of layers."""
    mapping = tuned_mapping(mapper, change_of(on_tensorflow, 1))
    mapping.save(tmp_path / "task")
    assert "num_layers" not in json.loads((tmp_path / "task/task.json").read_text())["tuning"]
    for encoder in (mapper, on_tensorflow):
        loaded = Mapping.load(tmp_path / "task", encoder)
        assert loaded.predict(TEXTS) == mapping.predict(TEXTS)
        assert loaded.tuning == mapping.tuning


def test_examples_of_a_tuned_task_can_be_added_and_removed(mapper, delta):
    mapping, whole = tuned_mapping(mapper, delta), tuned_mapping(mapper, delta)
    mapping.remove([7])
    mapping.add([TEXTS[7]], [LABELS[7]])
    np.testing.assert_allclose(mapping.predict_proba(TEXTS), whole.predict_proba(TEXTS), atol=1e-4)
    mapping.add(["anna lives in paris"], ["places"])
    assert mapping.labels == ("delivery", "refund", "places")
    assert mapping.tuning is not None


def test_the_scale_that_left_out_examples_ask_for_is_kept(mapper, delta, tmp_path):
    plain, flat = (tuned_mapping(mapper, delta, factor).predict_proba(TEXTS) for factor in (1.0, 0.2))
    assert (flat.max(axis=1) < plain.max(axis=1)).all()
    mapping = tuned_mapping(mapper, delta, 0.2)
    mapping.remove([7])
    mapping.add([TEXTS[7]], [LABELS[7]])
    np.testing.assert_allclose(mapping.predict_proba(TEXTS), flat, atol=1e-4)
    mapping.save(tmp_path / "task")
    loaded = Mapping.load(tmp_path / "task", mapper)
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), mapping.predict_proba(TEXTS))


def test_a_tuned_task_of_another_encoder_is_refused(mapper, delta, published, tmp_path):
    tuned_mapping(mapper, delta).save(tmp_path / "task")
    with pytest.raises(StoreError, match="was adapted with the encoder"):
        Mapping.load(tmp_path / "task", MetaMapper.from_pretrained(published))


def test_an_exported_tuned_task_computes_the_same(mapper, delta, tmp_path):
    import onnxruntime

    mapping = tuned_mapping(mapper, delta)
    session = onnxruntime.InferenceSession(str(mapping.export(tmp_path / "task.onnx")))
    tokens, segments = mapper.featurizer.text_tokens(TEXTS[:1])
    inputs = {"token_ids": tokens[0], "segment_ids": segments[0], "padding_mask": np.ones_like(tokens[0])}
    (probabilities,) = session.run(None, {name: array[None] for name, array in inputs.items()})
    np.testing.assert_allclose(probabilities, mapping.predict_proba(TEXTS[:1]), atol=1e-4)


def test_all_tuned_tasks_share_one_engine_and_keep_only_their_delta(mapper, delta):
    featurizers = [mapper.featurizer.tuned(delta.scaled(share)) for share in np.linspace(0.1, 1, 20)]
    for featurizer in featurizers:
        featurizer.texts(TEXTS[:1])
    encoders = [featurizer.model.encoder for featurizer in featurizers]
    (shared,) = {id(each): each for each in map(_shared_weights, encoders)}.values()
    assert shared.of.cache_info().currsize <= 4
    assert {id(featurizer._windows) for featurizer in featurizers} == {id(mapper.featurizer._windows)}


def _shared_weights(encoder):
    return encoder.tuned_weights(encoder._names)


def test_a_new_state_has_the_new_features(mapper, delta):
    featurizer = mapper.featurizer.tuned(delta)
    state = with_examples(
        mapper.featurizer,
        empty_state(mapper.featurizer, "text-classification"),
        Examples(TEXTS, LABELS, None),
        {},
    )
    names = featurizer.names(state.names)
    state = with_features(featurizer, state, featurizer.texts(TEXTS), names)
    expected = tuned_mapping(mapper, delta)
    assert Mapping(featurizer, state).predict(TEXTS) == expected.predict(TEXTS)


def test_the_folder_of_a_task_that_was_not_to_be_tuned_is_as_before(mapper, tmp_path):
    mapper.adapt(TEXTS, LABELS).save(tmp_path / "task")
    assert "tuning" not in json.loads((tmp_path / "task/task.json").read_text())


def test_cuts_between_grades_are_as_blunt_as_left_out_examples_ask_for(mapper, delta):
    featurizer = mapper.featurizer.tuned(delta)
    cuts = []
    for factor in (1.0, 0.5):
        record = Tuning(1.0, 16, 2.5, 8, -0.7, -0.6, 0.02, "it helped", factor)
        state = replace(empty_state(featurizer, "text-classification"), tuning=record, is_ordinal=True)
        state = with_labels(featurizer, state, list(dict.fromkeys(LABELS)), {})
        cuts.append(with_examples(featurizer, state, Examples(TEXTS, LABELS, None), {}).grade_cuts)
    # How much the cuts count depends on the other probabilities, which the factor changes as well.
    assert cuts[1] == replace(cuts[0], slope=cuts[0].slope * 0.5, share=cuts[1].share)


def test_a_server_encodes_for_tuned_tasks_in_the_thread_of_the_others(mapper, delta):
    sizes = []
    featurizer = BatchingFeaturizer(mapper.featurizer.model, on_batch=sizes.append)
    tuned = featurizer.tuned(delta)
    pairs = ((featurizer, mapper.featurizer), (tuned, mapper.featurizer.tuned(delta)))
    num_threads = sum(thread.name == "encoder" for thread in threading.enumerate())

    def ask(number):
        (asked, alone), texts = pairs[number % 2], [f"parcel {number} is late"]
        return asked.texts(texts), alone.texts(texts)

    with ThreadPoolExecutor(8) as threads:
        for got, want in threads.map(ask, range(32)):
            np.testing.assert_allclose(got, want, atol=1e-5)
    assert sum(thread.name == "encoder" for thread in threading.enumerate()) == num_threads
    sizes.clear()
    with featurizer.caching():
        for asked in (featurizer, tuned, featurizer, tuned):
            asked.texts(["where is it"])
    assert sizes == [1, 1]
