"""One published folder is read by MetaMapper, KerasHub, transformers and sentence-transformers alike."""

import json

import numpy as np
import pytest

from metamapping import MetaMapper
from metamapping.interop.families import FAMILIES
from metamapping.publishing.published_model import read_published
from tests.interop.toy_families import TEXTS, publish_trained

NEEDS_TORCH = "what PyTorch reads is tested only where requirements/torch.txt is installed"


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def family(request):
    return request.param


@pytest.fixture(scope="module")
def folder(family, tmp_path_factory):
    """A tiny encoder of the family: written for Hugging Face, meta-trained two steps, published."""
    return publish_trained(family, tmp_path_factory.mktemp(family))


@pytest.fixture(scope="module")
def states(folder):
    """The token states, ids and mask of TEXTS, computed by the published encoder itself."""
    from metamapping.adaptation.featurizer import Featurizer

    featurizer = Featurizer(read_published(folder))
    ids = [encoding.ids for encoding in featurizer._tokenizer.encode_batch(TEXTS)]
    length = max(map(len, ids))
    mask = np.array([[i < len(row) for i in range(length)] for row in ids], np.int32)
    padded = np.array([row + [0] * (length - len(row)) for row in ids], np.int32)
    return _keras_states(featurizer.model.encoder.backbone, padded, mask), padded, mask


def test_metamapper_adapts_to_a_task(folder):
    labels = ["parcel", "money", "parcel", "money"]
    # Fifty times each, to outweigh the ridge: features of a barely trained encoder differ by little.
    mapping = MetaMapper.from_pretrained(folder).adapt(TEXTS * 50, labels * 50)
    assert mapping.predict(TEXTS) == labels


def test_keras_hub_reads_it_as_a_preset(folder, states):
    import keras_hub

    expected, ids, mask = states
    backbone = keras_hub.models.Backbone.from_preset(str(folder))
    np.testing.assert_array_equal(_keras_states(backbone, ids, mask), expected)


def test_keras_hub_tokenizes_as_in_training(family, folder, states):
    if family == "xlm-roberta":
        pytest.skip("KerasHub reads XLM-R's tokenizer from SentencePiece's own file, which cannot be written")
    import keras_hub

    _, ids, mask = states
    tokenizer = keras_hub.models.Tokenizer.from_preset(str(folder))
    # KerasHub's tokenizers neither truncate nor add special tokens: its preprocessors do.
    special = {tokenizer.token_to_id(token) for token in tokenizer.special_tokens}
    for text, row, is_token in zip(TEXTS, ids, mask, strict=True):
        plain = [i for i in row[is_token > 0].tolist() if i not in special]
        assert np.asarray(tokenizer(text)).tolist()[: len(plain)] == plain


def test_transformers_computes_the_same_states(folder, states):
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH, exc_type=ImportError)
    from transformers import AutoModel

    expected, ids, mask = states
    model, loading = AutoModel.from_pretrained(folder, output_loading_info=True)
    with torch.no_grad():
        output = model.eval()(input_ids=torch.tensor(ids).long(), attention_mask=torch.tensor(mask))
    assert not any(loading.values()), loading
    is_token = mask > 0
    np.testing.assert_allclose(output.last_hidden_state.numpy()[is_token], expected[is_token], atol=1e-4)


def test_transformers_tokenizes_as_in_training(folder, states):
    from transformers import AutoTokenizer

    _, ids, mask = states
    batch = AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, truncation=True, return_tensors="np")
    np.testing.assert_array_equal(batch["attention_mask"], mask)
    np.testing.assert_array_equal(batch["input_ids"] * mask, ids * mask)


def test_sentence_transformers_computes_the_first_view(folder):
    pytest.importorskip("torch", reason=NEEDS_TORCH, exc_type=ImportError)
    sentence_transformers = pytest.importorskip("sentence_transformers", reason=NEEDS_TORCH)
    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    featurizer = MetaMapper.from_pretrained(folder).featurizer
    texts = [*TEXTS, "parcel " * 50]  # the last one is cut, not read in windows
    expected = featurizer.model.encoder.encode(*featurizer.text_tokens(texts))[:, : featurizer.dim]
    np.testing.assert_allclose(model.encode(texts), expected, atol=1e-5)


def test_a_new_run_can_start_from_it(folder, states):
    from metamapping.config.encoder import EncoderSpec
    from metamapping.models.backbones import build_backbone

    expected, ids, mask = states
    spec = EncoderSpec(preset=str(folder), max_length_tokens=16)
    backbone = build_backbone(spec, vocabulary_size=1, seed=0)
    np.testing.assert_array_equal(_keras_states(backbone, ids, mask), expected)


def test_there_is_one_copy_of_the_weights(folder, family):
    encoder = read_published(folder).encoder.backbone
    num_bytes = 4 * sum(int(np.prod(variable.shape)) for variable in encoder.weights)
    files = [path.stat().st_size for path in folder.rglob("*.safetensors")]
    assert num_bytes < sum(files) < num_bytes + 40_000  # the mapping, RoBERTa's pooler of zeros, names
    assert json.loads((folder / "config.json").read_text())["model_type"] == family


def _keras_states(backbone, ids, mask):
    inputs = {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": mask}
    output = backbone({name: inputs[name] for name in backbone.input}, training=False)
    return np.asarray(output["sequence_output"] if isinstance(output, dict) else output)
