"""A program that uses a published folder while every package of the extra `train`, and Prefect, is blocked.

    python -m tests.e2e.without_training PUBLISHED OLD SCRATCH

OLD is a published folder of format 4, which has no graph.
"""

import shutil
import sys
import warnings

import pytest

from metamapping.errors import TRAIN_PACKAGES

BLOCKED = {*TRAIN_PACKAGES, "prefect", "torch"}


class Blocker:
    """Makes imports fail as if the packages were not installed."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


TEXTS = ["where is my parcel", "the delivery is late", "i want my money back", "please refund the order"]
LABELS = ["delivery", "delivery", "refund", "refund"]
WORDS = [["anna", "lives", "in", "paris"], ["bob", "works", "in", "rome"]]
TAGS = [["B-person", "O", "O", "B-place"], ["B-person", "O", "O", "B-place"]]


def use_the_library(published, scratch):
    from metamapping import Mapping, MetaMapper

    mapper = MetaMapper.from_pretrained(published)
    mapping = mapper.adapt(TEXTS, LABELS)
    assert mapping.predict(TEXTS) == LABELS
    mapping.save(scratch / "task")
    assert Mapping.load(scratch / "task").predict(TEXTS) == LABELS
    assert set(mapper.zero_shot(["delivery", "refund"]).predict(TEXTS)) <= {"delivery", "refund"}
    assert mapper.adapt(WORDS, TAGS, task_type="ner").predict(WORDS) == TAGS


def check_what_needs_scikit_learn():
    from metamapping.errors import MissingExtraError

    with pytest.raises(MissingExtraError, match=r"needs scikit-learn.*metamapping\[sklearn\]"):
        import metamapping.sklearn  # noqa: F401


def use_the_command_line(published, scratch, *, is_published=True):
    from metamapping.cli import app

    def call(*arguments):
        app([str(argument) for argument in arguments], standalone_mode=False)

    rows = [f"{text},{label}" for text, label in zip(TEXTS, LABELS, strict=True)]
    (scratch / "rows.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    call("adapt", published, scratch / "rows.csv", "--out", scratch / "cli-task")
    call("predict", scratch / "cli-task", scratch / "rows.csv", "--out", scratch / "out.jsonl", "--proba")
    assert '"prediction": "refund"' in (scratch / "out.jsonl").read_text()
    call("evaluate", scratch / "cli-task", scratch / "rows.csv", "--json")
    if is_published:
        call("inspect", published)


def serve(published, scratch):
    from fastapi.testclient import TestClient

    from metamapping.serving.app import build_app
    from metamapping.serving.limits import Limits
    from metamapping.serving.metrics import Metrics
    from metamapping.serving.service import Service

    service = Service(published, scratch / "tasks", Limits(), Metrics())
    service.load()
    client = TestClient(build_app(service, key=None), base_url="http://127.0.0.1")
    examples = [{"text": text, "label": label} for text, label in zip(TEXTS, LABELS, strict=True)]
    client.put("/tasks/orders", json={"examples": examples}).raise_for_status()
    answer = client.post("/tasks/orders/predict", json={"texts": TEXTS})
    assert answer.raise_for_status().json()["predictions"] == LABELS


def use_a_pretrained_encoder(published, scratch):
    """A Hugging Face folder, without what publishing adds."""
    folder = scratch / "pretrained"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        shutil.copy(published / name, folder / name)
    (scratch / "with-pretrained").mkdir()
    warnings.simplefilter("ignore", UserWarning)  # it says that the encoder was not meta-trained
    use_the_library(folder, scratch / "with-pretrained")
    use_the_command_line(folder, scratch / "with-pretrained", is_published=False)
    serve(folder, scratch / "with-pretrained")


def check_what_needs_arrow(published, scratch):
    from metamapping import MetaMapper
    from metamapping.cli import main
    from metamapping.errors import MissingExtraError

    file = scratch / "rows.parquet"
    file.write_bytes(b"PAR1")
    with pytest.raises(MissingExtraError, match=r"a Parquet file needs pyarrow.*metamapping\[parquet\]"):
        MetaMapper.from_pretrained(published).adapt(file)
    assert main(["adapt", str(published), str(file), "--out", str(scratch / "x")]) == 2
    assert main(["check", str(published / "metamapping.json")]) == 2


def check_what_needs_training(old):
    from metamapping import MetaMapper
    from metamapping.cli import main
    from metamapping.errors import MissingExtraError

    with pytest.raises(MissingExtraError, match=r"has no graph for the runtime.*metamapping\[train\]"):
        MetaMapper.from_pretrained(old)
    assert main(["adapt", str(old), str(old / "metamapping.json"), "--out", "x"]) == 2


def main_of(published, old, scratch):
    sys.meta_path.insert(0, Blocker())
    use_the_library(published, scratch)
    check_what_needs_scikit_learn()
    use_the_command_line(published, scratch)
    serve(published, scratch)
    use_a_pretrained_encoder(published, scratch)
    check_what_needs_arrow(published, scratch)
    check_what_needs_training(old)
    loaded = sorted(BLOCKED & {name.partition(".")[0] for name in sys.modules})
    assert not loaded, loaded


if __name__ == "__main__":
    from pathlib import Path

    main_of(*map(Path, sys.argv[1:]))
