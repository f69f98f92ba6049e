"""Following an alias: the server takes the new encoder without failing a request, and its tasks move."""

import shutil
import threading

import pytest

from metamapping.adaptation.readaptation import left_out_accuracy, readapt
from metamapping.runs.registry import Registry
from metamapping.serving.limits import Limits
from metamapping.serving.metrics import Metrics
from metamapping.serving.moving import look_once
from metamapping.serving.service import Service
from tests.cli.command import run_cli
from tests.serving.server import ORDERS

PEOPLE = {
    "task_type": "ner",
    "examples": [
        {"text": ["anna", "lives", "in", "paris"], "label": ["B-person", "O", "O", "B-place"]},
        {"text": ["bob", "works", "in", "rome"], "label": ["B-person", "O", "O", "B-place"]},
    ],
}


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """The published folder of another small encoder."""
    from tests.toy_published import publish_toy

    folder = tmp_path_factory.mktemp("other")
    publish_toy(folder, folder / "published", seed=1)
    return folder / "published"


@pytest.fixture
def registry(published, other, tmp_path):
    """A home in which the run `old` is in production, and `new` could be."""
    home = tmp_path / "home"
    for name, folder in (("old", published), ("new", other)):
        shutil.copytree(folder, home / "runs" / name / "published")
    registry = Registry(home)
    registry.promote("old", why="the first", by="ann")
    return registry


@pytest.fixture
def service(registry, tmp_path):
    folder = tmp_path / "home" / "runs" / "old" / "published"
    service = Service(folder, tmp_path / "tasks", Limits(), Metrics(), keeps_encoders=True)
    service.load()
    return service


@pytest.fixture
def client(service):
    from fastapi.testclient import TestClient

    from metamapping.serving.app import build_app

    return TestClient(build_app(service, key=None), base_url="http://127.0.0.1")


def test_nothing_changes_as_long_as_the_alias_stays(service, registry, client):
    client.put("/tasks/orders", json=ORDERS)
    before = service.loaded()
    assert look_once(service, registry, "production", "old") == "old"
    assert service.loaded() is before


def test_tasks_move_to_the_new_encoder_unless_they_would_be_worse(service, registry, client):
    for name, task in (("orders", ORDERS), ("people", PEOPLE)):
        assert client.put(f"/tasks/{name}", json=task).status_code == 201
    old = dict(service.loaded().tasks.items())
    registry.promote("new", why="better", by="ann")
    assert look_once(service, registry, "production", "old") == "new"
    mapper = service.loaded().mapper
    for name, mapping in service.loaded().tasks.items():
        before, after = left_out_accuracy(old[name]), left_out_accuracy(readapt(old[name], mapper))
        is_moved = mapping.encoder_fingerprint == mapper.featurizer.fingerprint
        assert is_moved is (before is None or after is None or after >= before)
        assert (mapping.labels, mapping.num_examples) == (old[name].labels, old[name].num_examples)
    asked = client.post("/tasks/people/predict", json={"texts": [["anna", "lives", "in", "rome"]]})
    assert asked.status_code == 200
    assert client.put("/tasks/more", json=ORDERS).status_code == 201
    assert service.loaded().tasks.get("more").encoder_fingerprint == mapper.featurizer.fingerprint


def test_no_request_fails_while_the_encoder_changes(service, registry, client):
    client.put("/tasks/orders", json=ORDERS)
    statuses, is_over = [], threading.Event()

    def ask():
        while not is_over.is_set():
            answer = client.post("/tasks/orders/predict", json={"texts": ["where is my parcel"]})
            statuses.append(answer.status_code)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    current = "old"
    for wanted in ("new", "old"):
        registry.promote(wanted, why="a test", by="ann")
        current = look_once(service, registry, "production", current)
        assert current == wanted
    is_over.set()
    for thread in threads:
        thread.join(60)
    assert set(statuses) == {200}


def test_a_task_that_was_kept_on_its_encoder_is_served_after_a_restart(service, registry, client, tmp_path):
    client.put("/tasks/orders", json=ORDERS)
    fingerprint = service.loaded().tasks.get("orders").encoder_fingerprint
    new = tmp_path / "home" / "runs" / "new" / "published"
    again = Service(new, tmp_path / "tasks", Limits(), Metrics(), keeps_encoders=True)
    again.load()
    tasks = again.loaded().tasks
    assert tasks.damaged == {}
    assert tasks.get("orders").encoder_fingerprint == fingerprint
    assert tasks.get("orders").predict(["where is my parcel"])


def test_a_promoted_encoder_that_cannot_be_read_leaves_everything_as_it_was(
    service, registry, client, tmp_path
):
    client.put("/tasks/orders", json=ORDERS)
    (tmp_path / "home" / "runs" / "new" / "published" / "mapping.safetensors").write_bytes(b"not any more")
    registry.promote("new", why="unaware", by="ann")
    assert look_once(service, registry, "production", "old") == "old"
    assert client.post("/tasks/orders/predict", json={"texts": ["a"]}).status_code == 200


def test_a_task_without_texts_stays_where_it_is(service, registry, client, tmp_path):
    client.put("/tasks/orders", json=ORDERS)
    mapping = service.loaded().tasks.get("orders")
    mapping.save(tmp_path / "tasks" / "orders", keep_texts=False)
    folder = tmp_path / "home" / "runs" / "new" / "published"
    again = Service(folder, tmp_path / "tasks", Limits(), Metrics(), keeps_encoders=True)
    again.load()
    (sentence,) = again.move_tasks()
    assert sentence.startswith("task 'orders' stays on its encoder: the task was saved without the texts")
    assert again.move_tasks() == []


def test_the_command_needs_either_a_model_or_an_alias(tmp_path, capsys):
    assert run_cli("serve") == 2
    assert (
        "give either MODEL, the folder of a published encoder, or --follow production"
        in capsys.readouterr().err
    )
    assert run_cli("serve", "--follow", "production", "--home", tmp_path) == 2
    assert "is the production: `metamapping promote RUN` puts one into production" in capsys.readouterr().err
