"""Write one small published folder and tasks with the code of an earlier commit; see README.md here.

    git worktree add /tmp/old COMMIT
    PYTHONPATH=/tmp/old python tests/formats/generate.py tests/formats/published-N

It runs with the code of every format, so it imports what it needs under the names of that time. Next to the
folders it writes ``expected.json``: features and probabilities as the earlier code computed them.
"""

import hashlib
import importlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np

TEXTS = [
    "where is my parcel it has not arrived",
    "the delivery is late again and nobody answers",
    "i want my money back for the broken lamp",
    "please refund the order that i sent back",
]
LABELS = ["delivery", "delivery", "refund", "refund"]
WORDS = [["anna", "lives", "in", "paris"], ["bob", "works", "in", "rome"]]
TAGS = [["B-person", "O", "O", "B-city"], ["B-person", "O", "O", "B-city"]]
NEW_TEXTS = ["my parcel is late", "send my money back please"]
NEW_WORDS = ["anna", "works", "in", "rome"]


def find(name, *modules):
    for module in modules:
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise SystemExit(f"{name} is in none of {modules}")


def make_model(folder):
    import keras

    config = (
        "metamapping.config",
        "metamapping.config.schema",
        "metamapping.config.encoder",
        "metamapping.config.training",
    )
    spec = find("EncoderSpec", *config)(
        scratch=find("ScratchEncoder", *config)(
            vocabulary_size=100, num_layers=2, num_heads=2, hidden_dim=8, intermediate_dim=8
        ),
        max_length_tokens=16,
    )
    write_tokenizer = find("write_tokenizer", "metamapping.corpus.tokenizer")
    counts = write_tokenizer(spec, [*TEXTS, *(" ".join(words) for words in WORDS)] * 5, folder)
    build_learner = find("build_learner", "metamapping.training", "metamapping.training.learner")
    training = find("TrainingSpec", *config)()
    learner = build_learner(spec, training, vocabulary_size=counts["vocabulary_size"], seed=0)
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    for variable in learner.mapping.weights:  # as if it had been trained
        noise = rng.normal(scale=0.01, size=tuple(variable.shape))
        variable.assign(variable.numpy() + noise.astype(np.float32))
    publishing = ("metamapping.publishing", "metamapping.publishing.published_model")
    return find("PublishedModel", *publishing)(
        encoder=learner.encoder,
        mapping=learner.mapping,
        tokenizer_folder=folder,
        max_length_tokens=spec.max_length_tokens,
        cleaning=find("CleaningSpec", *config, "metamapping.config.corpus")(),
    )


def hide_place(folder):
    """Replace the encoder's absolute path, and write the manifest again as it was."""
    path, manifest = folder / "task.json", folder / "manifest.json"
    task = json.loads(path.read_text())
    task["model_folder"] = "/models/toy"
    path.write_text(json.dumps(task, indent=1, ensure_ascii=False) + "\n")
    about = json.loads(manifest.read_text())
    data = path.read_bytes()
    about["files"]["task.json"] = {"bytes": len(data), "blake2b": digest(data)}
    if about.pop("blake2b", None) is not None:
        text = json.dumps(about, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        about["blake2b"] = digest(text.encode())
    manifest.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def digest(data):
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def main(out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    tokenizer = out / "tokenizer"
    model = make_model(tokenizer)
    publishing = ("metamapping.publishing", "metamapping.publishing.published_model")
    stage = find("Stage", "metamapping.store", "metamapping.storage.artifacts")("published", "toy", 1, {}, [])
    provenance = find("Provenance", *publishing)(stage, [], "# toy\n")
    find("write_published", *publishing)(out / "published", model, provenance)
    shutil.rmtree(tokenizer)

    mapper = find("MetaMapper", "metamapping").from_pretrained(out / "published")
    texts = mapper.adapt(TEXTS, LABELS)
    texts.save(out / "task")
    words = mapper.adapt(WORDS, TAGS, task_type="ner")
    words.save(out / "task-ner")
    mapper.adapt(TEXTS, LABELS).save(out / "task-without-texts", keep_texts=False)
    expected = {
        "fingerprint": mapper.featurizer.fingerprint,
        "features": mapper.featurizer.texts(NEW_TEXTS).tolist(),
        "names": mapper.featurizer.names(["delivery"]).tolist(),
        "probabilities": np.asarray(texts.predict_proba(NEW_TEXTS)).tolist(),
        "zero_shot": np.asarray(mapper.zero_shot(["delivery", "refund"]).predict_proba(NEW_TEXTS)).tolist(),
        "tags": words.predict([NEW_WORDS]),
    }
    (out / "expected.json").write_text(json.dumps(expected) + "\n")
    for name in ("task", "task-ner", "task-without-texts"):
        hide_place(out / name)
    for path in (out / "published" / "metamapping.json", out / "task" / "task.json"):
        print(path, "has format", json.loads(path.read_text())["format_version"])


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
