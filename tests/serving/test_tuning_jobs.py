"""Tasks of a server that are tuned while it answers requests, on an encoder of three layers."""

import threading
import time

import pytest
from fastapi.testclient import TestClient

from metamapping import errors
from metamapping.adaptation.tuning import retuning
from metamapping.serving.app import build_app
from metamapping.serving.limits import Limits
from metamapping.serving.metrics import Metrics
from metamapping.serving.service import Service
from tests.serving.server import ORDERS as FEW
from tests.toy_published import publish_toy

ORDERS = {
    "examples": [
        *FEW["examples"],
        {"text": "my parcel has not arrived", "label": "delivery"},
        {"text": "nobody answers about the delivery", "label": "delivery"},
        {"text": "refund the broken lamp", "label": "refund"},
        {"text": "i sent the lamp back", "label": "refund"},
    ]
}
MORE = {"examples": [{"text": "the parcel was lost", "label": "delivery"}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    making = tmp_path_factory.mktemp("deep")
    publish_toy(making, making / "published", num_layers=3)
    return making / "published"


@pytest.fixture
def service(folder, tmp_path):
    service = Service(folder, tmp_path / "tasks", Limits(jobs=2, tune_seconds=600.0), Metrics())
    service.load()
    yield service
    service.jobs.close()


@pytest.fixture
def client(service):
    client = TestClient(build_app(service, key=None), base_url="http://127.0.0.1")
    client.put("/tasks/orders", json=ORDERS)
    return client


class Held:
    """In place of the steps: waits to be released, and reports one step of two."""

    def __init__(self, monkeypatch):
        self.is_running, self.release = threading.Event(), threading.Event()
        self.tune = retuning.tune_mapping
        monkeypatch.setattr(retuning, "tune_mapping", self)

    def __call__(self, mapping, mapper, *, seconds, on_step):
        self.is_running.set()
        assert self.release.wait(timeout=300)

        def step(steps, steps_in_all):
            on_step(1, 2)

        return self.tune(mapping, mapper, seconds=1e-6, on_step=step)


def finished(client, job):
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        answer = client.get(f"/jobs/{job['id']}").json()
        if answer["status"] not in ("waiting", "running"):
            return answer
        time.sleep(0.05)
    raise AssertionError(answer)


def test_a_server_without_tensorflow_refuses_to_tune_at_once(client, monkeypatch):
    monkeypatch.setattr(errors, "find_spec", lambda package: None)
    answer = client.post("/tasks/orders/tune")
    assert answer.status_code == 501
    assert (
        "needs tensorflow, which is not installed: pip install 'metamapping[train]'"
        in answer.json()["detail"]
    )
    assert client.get("/jobs").json() == {"jobs": []}


@pytest.mark.slow
def test_a_task_is_tuned_in_a_job_and_says_what_was_decided(client, service):
    started = client.post("/tasks/orders/tune", json={"seconds": 0.001})
    assert started.status_code == 202
    assert started.json()["task"] == "orders"
    job = finished(client, started.json())
    assert job["status"] == "done", job
    assert job["steps"] >= 3  # one in each fold
    assert "8 left-out examples" in job["result"]
    assert job["seconds_left"] == 0
    mapping = service.loaded().tasks.get("orders")
    assert job["result"] == str(mapping.tuning)
    assert client.get("/jobs").json() == {"jobs": [job]}
    assert client.delete(f"/jobs/{job['id']}").json() == job  # a finished job stays as it is
    predicted = client.post("/tasks/orders/predict", json={"texts": ["my parcel"]})
    assert predicted.status_code == 200


@pytest.mark.slow
def test_a_task_of_several_labels_is_tuned_in_a_job(client, service):
    several = [{**each, "label": [each["label"]]} for each in ORDERS["examples"]]
    several += [{"text": "refund the late parcel", "label": ["delivery", "refund"]}]
    assert client.put("/tasks/several", json={"examples": several}).status_code == 201
    job = finished(client, client.post("/tasks/several/tune", json={"seconds": 0.001}).json())
    assert (job["status"], "9 left-out examples" in job["result"]) == ("done", True), job
    assert service.loaded().tasks.get("several").is_multi_label
    predicted = client.post("/tasks/several/predict", json={"texts": ["my parcel"]})
    assert isinstance(predicted.json()["predictions"][0], list), predicted.json()


@pytest.mark.slow
def test_a_task_of_named_entities_is_tuned_in_a_job(client):
    words = [
        {"text": ["in", "paris"], "label": ["O", "B-LOC"]},
        {"text": ["the", "order", "in", "rome"], "label": ["O", "O", "O", "B-LOC"]},
        {"text": ["paris", "is", "late"], "label": ["B-LOC", "O", "O"]},
    ]
    client.put("/tasks/words", json={"examples": words, "task_type": "ner"})
    job = finished(client, client.post("/tasks/words/tune", json={"seconds": 0.001}).json())
    assert job["status"] == "done", job
    assert "3 left-out examples" in job["result"]
    predicted = client.post("/tasks/words/predict", json={"texts": [["in", "rome"]]})
    assert predicted.status_code == 200


def test_requests_are_answered_while_a_job_runs_and_others_wait(client, monkeypatch):
    held = Held(monkeypatch)
    client.put("/tasks/others", json=ORDERS)
    client.put("/tasks/third", json=ORDERS)
    first = client.post("/tasks/orders/tune", json={}).json()
    assert held.is_running.wait(timeout=300)
    assert client.post("/tasks/orders/predict", json={"texts": ["my parcel"]}).status_code == 200
    again = client.post("/tasks/orders/tune", json={})
    assert (again.status_code, first["id"] in again.json()["detail"]) == (409, True)
    second = client.post("/tasks/others/tune", json={}).json()
    assert client.get(f"/jobs/{second['id']}").json()["status"] == "waiting"
    refused = client.post("/tasks/third/tune", json={})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert client.delete(f"/jobs/{second['id']}").json()["status"] == "cancelled"
    held.release.set()
    assert finished(client, first)["status"] == "done"


def test_a_cancelled_job_keeps_the_best_so_far(client, monkeypatch):
    held = Held(monkeypatch)
    job = client.post("/tasks/orders/tune", json={}).json()
    assert held.is_running.wait(timeout=300)
    client.delete(f"/jobs/{job['id']}")
    held.release.set()
    job = finished(client, job)
    assert (job["status"], job["steps"], job["is_tuned"]) == ("done", 1, False)
    assert "it was interrupted before a gain was known" in job["result"]


def test_a_task_that_was_changed_meanwhile_stays_as_it_is(client, service, monkeypatch):
    held = Held(monkeypatch)
    job = client.post("/tasks/orders/tune", json={}).json()
    assert held.is_running.wait(timeout=300)
    assert client.post("/tasks/orders/examples", json=MORE).status_code == 200
    held.release.set()
    job = finished(client, job)
    assert (job["status"], "changed meanwhile" in job["result"]) == ("failed", True)
    mapping = service.loaded().tasks.get("orders")
    assert (mapping.num_examples, mapping.tuning) == (9, None)


@pytest.mark.parametrize("change", ["add", "replace", "delete"])
def test_a_job_ends_at_the_next_step_once_its_task_is_another_one(change, client, service, monkeypatch):
    is_running, release = threading.Event(), threading.Event()
    reported = []

    def steps(mapping, mapper, *, seconds, on_step):
        is_running.set()
        assert release.wait(timeout=300)
        on_step(1, 2)
        reported.append("a step too many")

    monkeypatch.setattr(retuning, "tune_mapping", steps)
    job = client.post("/tasks/orders/tune").json()
    assert is_running.wait(timeout=300)
    if change == "add":
        assert client.post("/tasks/orders/examples", json=MORE).status_code == 200
    elif change == "replace":
        assert client.put("/tasks/orders", json=ORDERS).status_code == 200
    else:
        assert client.delete("/tasks/orders").status_code == 204
    assert service.jobs.get(job["id"]).seconds > 0
    release.set()
    assert finished(client, job)["status"] == "failed"
    assert not reported


def test_odd_times_and_jobs_are_told_in_one_sentence(client):
    answer = client.post("/tasks/orders/tune", json={"seconds": "x"})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("seconds is 'x': Input should be a valid number")
    answer = client.get("/jobs/gone")
    assert (answer.status_code, "was restarted" in answer.json()["detail"]) == (404, True)


def test_odd_requests_to_tune_are_refused_in_one_sentence(client):
    assert client.post("/tasks/none/tune", json={}).status_code == 404
    too_long = client.post("/tasks/orders/tune", json={"seconds": 601})
    assert (too_long.status_code, "a job may take 600" in too_long.json()["detail"]) == (422, True)
    for seconds in (0, -1, "a", True):
        assert client.post("/tasks/orders/tune", json={"seconds": seconds}).status_code == 422
    for method in (client.get, client.delete):
        answer = method("/jobs/unknown")
        assert (answer.status_code, "there is no job 'unknown'" in answer.json()["detail"]) == (404, True)
