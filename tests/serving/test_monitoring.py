"""What tasks are used on: drift in the metrics, and a log of predictions without texts."""

import json

import pytest

from metamapping.serving import monitoring
from metamapping.serving.limits import Limits
from metamapping.serving.monitoring import PredictionLog

WORDS = ("where is my parcel", "the delivery is late", "i want my money back", "please refund the order")
EXAMPLES = [
    {"text": f"{WORDS[i % 4]} {i}", "label": "delivery" if i % 4 < 2 else "refund"} for i in range(24)
]
LIMITS = Limits(tasks=3, examples=50, texts=100, characters=20_000)


def client_with(published, folder, log=None):
    from fastapi.testclient import TestClient

    from metamapping.serving.app import build_app
    from metamapping.serving.metrics import Metrics
    from metamapping.serving.service import Service

    service = Service(published, folder / "tasks", LIMITS, Metrics(), log)
    service.load()
    client = TestClient(build_app(service, key=None), base_url="http://127.0.0.1")
    assert client.put("/tasks/orders", json={"examples": EXAMPLES}).status_code == 201
    return client


def drift_lines(client):
    lines = client.get("/metrics").text.splitlines()
    return [line for line in lines if line.startswith("metamapping_task_drift")]


@pytest.fixture
def log(tmp_path):
    log = PredictionLog(tmp_path / "logs" / "predictions.jsonl", with_texts=False)
    yield log
    log.close()


def test_the_drift_of_a_task_is_shown_after_some_texts_and_begins_anew_when_it_changes(published, tmp_path):
    client = client_with(published, tmp_path)
    texts = [f"{WORDS[i % 4]} {i}" for i in range(40)]
    client.post("/tasks/orders/predict", json={"texts": texts})
    assert drift_lines(client) == []
    client.post("/tasks/orders/predict", json={"texts": [*texts[:20], ""]})
    found = {line.split(" ")[0]: float(line.split(" ")[1]) for line in drift_lines(client)}
    assert len(found) == 4
    assert 0 <= found['metamapping_task_drift_p_value{measure="probability",task="orders"}'] <= 1
    client.post("/tasks/orders/examples", json={"examples": EXAMPLES[:1]})
    client.post("/tasks/orders/predict", json={"texts": texts[:5]})
    assert drift_lines(client) == []
    client.delete("/tasks/orders")
    assert drift_lines(client) == []


def test_predictions_are_logged_without_their_texts(published, tmp_path, log):
    client = client_with(published, tmp_path, log)
    texts = ["where is my parcel", "", "refund the order"]
    answer = client.post("/tasks/orders/predict", json={"texts": texts, "probabilities": True}).json()
    client.post("/zero-shot", json={"texts": texts, "labels": ["a", "b"]})
    rows = list(map(json.loads, (tmp_path / "logs" / "predictions.jsonl").read_text().splitlines()))
    assert [row["label"] for row in rows] == [answer["predictions"][0], answer["predictions"][2]]
    assert [set(row) for row in rows] == [{"time", "task", "label", "probability", "similarity"}] * 2
    assert rows[0]["probability"] == pytest.approx(max(answer["probabilities"][0]), abs=1e-3)


def test_a_log_whose_last_line_was_not_finished_is_continued_on_a_new_one(tmp_path):
    path = tmp_path / "log.jsonl"
    for before, expected in (("", 1), ('{"time": "no', 2), ('{"time": "now"}\n', 2)):
        path.write_text(before)
        log = PredictionLog(path, with_texts=False)
        log.write({"time": "later"})
        log.close()
        lines = path.read_text().splitlines()
        assert len(lines) == expected
        assert json.loads(lines[-1]) == {"time": "later"}


def test_a_log_with_texts_is_rotated(tmp_path, monkeypatch):
    monkeypatch.setattr(monitoring, "LOG_BYTES", 60)
    log = PredictionLog(tmp_path / "log.jsonl", with_texts=True)
    for number in range(40):
        log.write({"text": f"größer {number}"})
    log.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["log.jsonl", *(f"log.jsonl.{i}" for i in range(1, monitoring.LOG_FILES))]
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1]) == {"text": "größer 39"}
