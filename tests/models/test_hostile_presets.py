"""Preset folders whose files name code to run: it must never be run."""

from __future__ import annotations

import base64
import json
import marshal

import pytest

from metamapping.config.encoder import EncoderSpec
from metamapping.errors import ConfigError
from metamapping.models.backbones import build_backbone

BERT = {"model_type": "bert", "architectures": ["BertModel"]}


METADATA = {"keras_version": "3.15.0", "keras_hub_version": "0.32.0", "parameter_count": 1, "date_saved": "x"}


def preset(folder, config, trap):
    """A folder as KerasHub saves it, with a Python module next to it."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "metadata.json").write_text(json.dumps(METADATA))
    (folder / "trap.py").write_text(trap)
    return EncoderSpec(preset=str(folder))


def bert(**config):
    """KerasHub's configuration of a BERT with these values."""
    return {
        "module": "keras_hub.src.models.bert.bert_backbone",
        "class_name": "BertBackbone",
        "registered_name": "keras_hub>BertBackbone",
        "config": config,
    }


def lambda_layer(command):
    """A Keras Lambda layer, whose function is Python byte code."""
    code = compile(f"__import__('os').system({command!r})", "x", "eval")
    encoded = base64.b64encode(marshal.dumps(code)).decode()
    function = {"class_name": "__lambda__", "config": {"code": encoded}}
    return {"module": "keras.layers", "class_name": "Lambda", "config": {"function": function}}


@pytest.mark.parametrize("kind", ["module", "registered", "lambda", "nested", "auto_map"])
def test_code_that_a_preset_names_is_not_run(tmp_path, kind):
    mark = tmp_path / "was-run"
    command = f"touch {mark}"
    call = {"module": "os", "class_name": "system", "config": {"command": command}, "registered_name": None}
    config = {
        "module": call,
        "registered": {**call, "module": None, "registered_name": "os>system"},
        "lambda": bert(vocabulary_size=100, dtype=lambda_layer(command)),
        "nested": bert(vocabulary_size=call, dtype=call),
        "auto_map": {**BERT, "auto_map": {"AutoModel": "trap.Trap", "AutoConfig": "trap.Trap"}},
    }[kind]
    spec = preset(tmp_path / "preset", config, f"import os\nos.system({command!r})\n")
    with pytest.raises(ConfigError, match=r"encoder.preset .* cannot be read"):
        build_backbone(spec, vocabulary_size=100, seed=0)
    assert not mark.exists()
