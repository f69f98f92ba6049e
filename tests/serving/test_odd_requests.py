"""Requests with unusual texts, unusual numbers and too much of everything."""

import json

import numpy as np
import pytest

from metamapping.serving.limits import Limits
from tests.serving.server import ORDERS

WIDE = Limits(tasks=3, examples=1_200, texts=100, characters=2_000_000)
HEADERS = {"content-type": "application/json"}


def test_a_thousand_labels_and_unusual_texts_get_probabilities(serve):
    client = serve(limits=WIDE)
    examples = [{"text": f"text {i}", "label": f"label {i}"} for i in range(1_000)]
    assert client.put("/tasks/many", json={"examples": examples}).status_code == 201
    texts = ["", "\0", "🙂", "أين طردي", "word " * 100_000]
    answer = client.post("/tasks/many/predict", json={"texts": texts, "probabilities": True})
    assert answer.status_code == 200
    probabilities = np.array(answer.json()["probabilities"])
    assert probabilities.shape == (5, 1_000)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-3)


def test_more_labels_than_the_limit_are_rejected_before_anything_is_encoded(serve):
    client = serve(limits=Limits(labels=3))
    examples = [{"text": f"text {i}", "label": f"label {i}"} for i in range(4)]
    answers = [
        client.put("/tasks/many", json={"examples": examples}),
        client.post("/zero-shot", json={"labels": ["a", "b", "c", "d"], "texts": ["e"]}),
        client.put("/tasks/lists", json={"examples": [{"text": "a", "label": ["a", "b", "c", "d"]}]}),
    ]
    assert client.put("/tasks/few", json={"examples": examples[:3]}).status_code == 201
    answers.append(client.post("/tasks/few/examples", json={"examples": examples[3:]}))
    for answer in answers:
        assert answer.status_code == 422
        assert "4 labels, but may have 3: give fewer" in answer.json()["detail"]
    tagged = [{"text": ["a", "b", "c", "d"], "label": ["B-x", "I-x", "B-y", "O"]}]
    assert client.put("/tasks/ner", json={"examples": tagged, "task_type": "ner"}).status_code == 201


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_what_a_page_of_another_origin_can_send_changes_nothing(serve, content_type):
    client = serve()
    client.put("/tasks/orders", json=ORDERS)
    headers = {} if content_type is None else {"content-type": content_type}
    body = json.dumps({"examples": [{"text": "mine", "label": "poison"}]}).encode()
    assert client.post("/tasks/orders/examples", content=body, headers=headers).status_code == 422
    assert client.get("/tasks/orders").json()["num_examples"] == 4
    assert client.options("/tasks/orders", headers={"origin": "http://x.example"}).status_code == 405


def test_the_same_text_may_have_two_labels(serve):
    client = serve()
    same = [{"text": "the same", "label": label} for label in ("a", "b")]
    assert client.put("/tasks/same", json={"examples": same}).status_code == 201
    answer = client.post("/tasks/same/predict", json={"texts": ["the same"], "probabilities": True}).json()
    assert np.isfinite(answer["probabilities"]).all()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"texts": ' + b"[" * 100_000,
        b'{"texts": ["a"], "threshold": ' + b"9" * 10_000 + b"}",
        b'{"texts": ["a"], "threshold": NaN}',
        b'{"texts": ["a"], "threshold": 1e999}',
        b"\xff\xfe",
        b"",
        b"null",
    ],
)
def test_a_malicious_body_is_rejected_with_a_sentence(serve, body):
    client = serve()
    client.put("/tasks/orders", json=ORDERS)
    answer = client.post("/tasks/orders/predict", content=body, headers=HEADERS)
    assert 400 <= answer.status_code < 500
    assert isinstance(answer.json()["detail"], str)
    assert len(answer.json()["detail"]) < 500


@pytest.mark.parametrize(
    "name", ["..", "%2e%2e", "..%2fx", "%2fetc%2fpasswd", "a%00", ".hidden", "a/../../b"]
)
def test_no_name_leads_outside_of_the_tasks_folder(serve, tmp_path, name):
    client = serve()
    before = sorted(tmp_path.rglob("*"))
    assert client.put(f"/tasks/{name}", json=ORDERS).status_code in (404, 405, 422)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_malicious_task_folder_is_damaged_and_the_others_are_served(serve, tmp_path):
    serve().put("/tasks/orders", json=ORDERS)
    malicious = tmp_path / "tasks" / "malicious"
    malicious.mkdir()
    (malicious / "manifest.json").write_text("[" * 100_000)
    (malicious / "task.json").write_text(json.dumps({"num_examples": 10**12}))
    answer = serve().get("/tasks").json()
    assert [task["name"] for task in answer["tasks"]] == ["orders"]
    assert "nested too deeply" in answer["damaged"]["malicious"]
