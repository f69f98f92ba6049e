"""A task is exported as one file, which onnxruntime and tokenizers run alone."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from metamapping import MetaMapper
from metamapping.cli import app

TEXTS = ["where is my parcel", "the delivery is late", "i want my money back", "please refund the order"]
PAIRS = ["is my parcel lost", "late again", "send my money", "the order"]
LABELS = ["delivery", "delivery", "refund", "refund"]
PAGE = Path(__file__).parents[2] / "docs/how-to/runtime.md"


def probabilities(folder, texts, text_pairs=None):
    """The ten lines of a program without metamapping."""
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding()
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    encoded = tokenizer.encode_batch(
        texts if text_pairs is None else list(zip(texts, text_pairs, strict=True))
    )
    columns = {"token_ids": "ids", "segment_ids": "type_ids", "padding_mask": "attention_mask"}
    inputs = {name: np.array([getattr(e, a) for e in encoded], np.int32) for name, a in columns.items()}
    labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
    return labels, session.run(["probabilities"], inputs)[0]


def test_the_file_gives_the_probabilities_of_the_task(mapper, tmp_path):
    mapping = mapper.adapt(TEXTS, LABELS)
    assert mapping.export(tmp_path / "new" / "model.onnx") == tmp_path / "new" / "model.onnx"
    labels, computed = probabilities(tmp_path / "new", TEXTS)
    assert labels == ["delivery", "refund"]
    np.testing.assert_allclose(computed, mapping.predict_proba(TEXTS), atol=1e-4)


def test_pairs_are_read_as_in_the_task(mapper, tmp_path):
    mapping = mapper.adapt(TEXTS, LABELS, text_pairs=PAIRS)
    mapping.export(tmp_path / "model.onnx")
    _, computed = probabilities(tmp_path, TEXTS, PAIRS)
    np.testing.assert_allclose(computed, mapping.predict_proba(TEXTS, text_pairs=PAIRS), atol=1e-4)


def test_grades_have_the_probabilities_of_the_task(mapper, tmp_path):
    grades = ["late", "lost", "found"]
    mapping = mapper.adapt(TEXTS, ["late", "lost", "late", "found"], ordinal=grades)
    mapping.export(tmp_path / "model.onnx")
    labels, computed = probabilities(tmp_path, TEXTS)
    assert (labels, mapping.state.grade_cuts is None) == (grades, False)
    np.testing.assert_allclose(computed, mapping.predict_proba(TEXTS), atol=1e-4)


def test_the_command_exports_a_saved_task(mapper, tmp_path):
    mapper.adapt(TEXTS, [0, 0, 1, 1]).save(tmp_path / "task")
    app(["export", str(tmp_path / "task"), str(tmp_path / "model.onnx")], standalone_mode=False)
    labels, _ = probabilities(tmp_path, TEXTS)
    assert labels == [0, 1]


def test_named_entities_cannot_be_exported(mapper, tmp_path):
    mapping = mapper.adapt([["anna", "works"]], [["B-person", "O"]], task_type="ner")
    with pytest.raises(ValueError, match="only tasks of texts can be exported"):
        mapping.export(tmp_path / "model.onnx")


def test_nothing_is_overwritten(mapper, tmp_path):
    mapping = mapper.zero_shot(["delivery", "refund"])
    with pytest.raises(ValueError, match=r"give it the ending \.onnx"):
        mapping.export(tmp_path / "model")
    (tmp_path / "tokenizer.json").write_text("mine")
    with pytest.raises(ValueError, match=r"tokenizer\.json already exists"):
        mapping.export(tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_tasks_of_one_encoder_share_a_folder(mapper, tmp_path):
    mapping = mapper.adapt(TEXTS, [0, 0, 1, 1])
    mapping.export(tmp_path / "first.onnx")
    mapping.export(tmp_path / "second.onnx")
    assert (tmp_path / "second.onnx").read_bytes() == (tmp_path / "first.onnx").read_bytes()
    with pytest.raises(ValueError, match=r"first\.onnx already exists"):
        mapping.export(tmp_path / "first.onnx")


def test_the_command_says_that_the_file_knows_nothing_out_of_scope(mapper, tmp_path, capsys):
    mapping = mapper.adapt([*TEXTS, "sing a song"], [0, 0, 1, 1, -1], out_of_scope=-1)
    mapping.save(tmp_path / "task")
    app(["export", str(tmp_path / "task"), str(tmp_path / "model.onnx")], standalone_mode=False)
    assert "never answers -1" in capsys.readouterr().err


def example_with(words):
    """The one example of docs/how-to/runtime.md that has these words."""
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    (example,) = [code for code in examples if words in code]
    return example


def test_the_graph_of_a_folder_runs_as_the_page_says(published, mapper):
    values = {}
    exec(example_with("path/to/published/model.onnx").replace("path/to/published", str(published)), values)
    expected = mapper.featurizer.texts(["where is my parcel"])
    np.testing.assert_allclose(values["features"], expected, atol=1e-5)


def test_an_exported_task_runs_as_the_page_says(mapper, tmp_path):
    mapping = mapper.adapt(TEXTS, LABELS)
    mapping.export(tmp_path / "model.onnx")
    values = {}
    exec(example_with("orders/model.onnx").replace("orders", str(tmp_path)), values)
    assert values["best"] == mapping.predict(["it has not arrived", "give me back what i paid"])


def test_a_task_of_an_encoder_without_a_graph_cannot_be_exported(published, tmp_path):
    folder = tmp_path / "published"
    shutil.copytree(published, folder)
    mapping = MetaMapper.from_pretrained(folder).adapt(["where is it", "my money"], ["delivery", "refund"])
    # As in the folder of a pretrained encoder of another family.
    (folder / "manifest.json").unlink()
    (folder / "config.json").write_text('{"model_type": "albert"}')
    with pytest.raises(ValueError, match="has no graph"):
        mapping.export(tmp_path / "model.onnx")
