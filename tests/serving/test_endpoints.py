"""Every endpoint, and every error as one sentence."""

import numpy as np
import pytest
from fastapi.testclient import TestClient

from metamapping import MetaMapper
from metamapping.serving.limits import Limits
from tests.serving.server import ORDERS

NEW = ["where is the order", "my money"]
ENTITIES = {
    "task_type": "ner",
    "examples": [
        {"text": ["anna", "lives", "in", "paris"], "label": ["B-PER", "O", "O", "B-LOC"]},
        {"text": ["bob", "works", "in", "rome"], "label": ["B-PER", "O", "O", "B-LOC"]},
    ]
    * 3,
}
PAIRS = [
    {"text": "anna lives in paris", "text_pair": "anna lives in paris", "label": "yes"},
    {"text": "anna lives in paris", "text_pair": "bob works in rome", "label": "no"},
]


@pytest.fixture
def client(serve):
    return serve()


def test_a_task_predicts_what_the_library_predicts(client, published):
    assert client.put("/tasks/orders", json=ORDERS).status_code == 201
    answer = client.post("/tasks/orders/predict", json={"texts": NEW, "probabilities": True}).json()

    texts = [example["text"] for example in ORDERS["examples"]]
    labels = [example["label"] for example in ORDERS["examples"]]
    mapping = MetaMapper.from_pretrained(published).adapt(texts, labels)
    assert answer["predictions"] == mapping.predict(NEW)
    assert answer["labels"] == list(mapping.labels)
    np.testing.assert_allclose(answer["probabilities"], mapping.predict_proba(NEW), atol=1e-5)
    np.testing.assert_allclose(answer["confidences"], mapping.confidence(NEW), atol=1e-5)


@pytest.mark.parametrize("values", [(7, 8), (True, False), (0.5, 1.5), ("1", "0")], ids=str)
def test_labels_are_answered_in_the_json_type_they_were_sent_in(serve, values):
    client = serve()
    examples = [
        {"text": example["text"], "label": values[example["label"] == "refund"]}
        for example in ORDERS["examples"]
    ]
    names = {str(values[0]).lower(): "delivery"}
    created = client.put("/tasks/orders", json={"examples": examples, "label_names": names})
    assert created.status_code == 201, created.json()
    for each in (client, serve()):  # the second reads the task from disk
        texts = {"texts": [example["text"] for example in examples]}
        answer = each.post("/tasks/orders/predict", json=texts).json()
        found = [*answer["predictions"], *answer["labels"], *each.get("/tasks/orders").json()["labels"]]
        assert found == [*(example["label"] for example in examples), *values, *values]
        assert {type(label) for label in found} == {type(values[0])}
    other = {"text": "hello", "label": "greeting" if values[0] != "1" else 1}
    refused = client.post("/tasks/orders/examples", json={"examples": [other]})
    assert refused.status_code == 422
    assert "but the task's labels are" in refused.json()["detail"]


def test_putting_a_task_again_replaces_it(client):
    client.put("/tasks/orders", json=ORDERS)
    answer = client.put("/tasks/orders", json={"examples": PAIRS})
    assert answer.status_code == 200
    assert client.get("/tasks/orders").json() == {
        "name": "orders",
        "task_type": "text-classification",
        "labels": ["yes", "no"],
        "num_examples": 2,
        "multi_label": False,
        "out_of_scope": None,
        "is_ordinal": False,
        "num_out_of_scope": 0,
    }


def test_examples_are_added_with_new_labels(serve):
    client = serve(limits=Limits())
    client.put("/tasks/orders", json=ORDERS)
    hello = {"text": "hello", "label": "greeting"}
    answer = client.post("/tasks/orders/examples", json={"examples": [hello] * 3})
    assert answer.json()["labels"] == ["delivery", "refund", "greeting"]
    assert answer.json()["num_examples"] == 7
    answer = client.post("/tasks/orders/predict", json={"texts": ["hello"]})
    assert answer.json()["predictions"] == ["greeting"]


def test_pairs_are_encoded_together(client):
    client.put("/tasks/same", json={"examples": PAIRS})
    asked = {"texts": [pair["text"] for pair in PAIRS], "text_pairs": [pair["text_pair"] for pair in PAIRS]}
    assert client.post("/tasks/same/predict", json=asked).json()["predictions"] == ["yes", "no"]


def test_ner_returns_a_tag_and_a_row_of_probabilities_per_word(serve):
    client = serve(limits=Limits())
    client.put("/tasks/places", json=ENTITIES)
    asked = {"texts": [["anna", "works", "in", "rome"], []], "probabilities": True}
    answer = client.post("/tasks/places/predict", json=asked).json()
    assert answer["predictions"] == [["B-PER", "O", "O", "B-LOC"], []]
    assert np.shape(answer["probabilities"][0]) == (4, 3)
    assert answer["confidences"] is None


def test_texts_to_label_are_those_that_the_library_suggests(client, published):
    client.put("/tasks/orders", json=ORDERS)
    pool = [*NEW, "the lamp is broken", ""]
    found = client.post("/tasks/orders/suggest", json={"texts": pool, "num": 2}).json()["suggestions"]
    columns = zip(*((each["text"], each["label"]) for each in ORDERS["examples"]), strict=True)
    expected = MetaMapper.from_pretrained(published).adapt(*map(list, columns)).suggest(pool, num=2)
    assert [each["index"] for each in found] == [each.index for each in expected]
    assert [each["prediction"] for each in found] == [each.label for each in expected]


def test_a_task_of_any_kind_answers_questions_about_its_data(serve):
    client = serve(limits=Limits())
    lists = [{**each, "label": [each["label"]]} for each in ORDERS["examples"]]
    tasks = {
        "orders": (ORDERS, NEW[0]),
        "places": (ENTITIES, ["anna", "works", "in", "rome"]),
        "lists": ({"examples": lists, "multi_label": True}, NEW[0]),
    }
    for name, (task, text) in tasks.items():
        assert client.put(f"/tasks/{name}", json=task).status_code == 201
        place, examples = f"/tasks/{name}", task["examples"]
        (found,) = client.post(f"{place}/suggest", json={"texts": [text]}).json()["suggestions"]
        predicted = client.post(f"{place}/predict", json={"texts": [text]}).json()["predictions"]
        assert [found["prediction"]] == predicted
        measured = client.get(f"{place}/cross-validation").json()
        assert measured["num_examples"] == len(examples)
        assert all(0 <= score["mean"] <= 1 for score in measured["scores"].values())
        everything = client.get(f"{place}/suspicious-labels", params={"min_probability": 0, "num": 1}).json()
        assert len(everything["suspicious"]) == 1
        assert everything["suspicious"][0]["similar"]
        answer = client.post(f"{place}/errors", json={"examples": examples}).json()
        assert answer["num_texts"] == len(examples)
        assert all(each["prediction"] != each["label"] for each in answer["errors"])
    wrong = {"text": ORDERS["examples"][0]["text"], "label": "refund"}
    (error,) = client.post("/tasks/orders/errors", json={"examples": [wrong]}).json()["errors"]
    assert (error["index"], error["label"], error["prediction"]) == (0, "refund", "delivery")
    assert error["similar"][0]["text"] == wrong["text"]
    spans = {"texts": ["anna works in rome"]}
    (found,) = client.post("/tasks/places/suggest", json=spans).json()["suggestions"]
    assert found["prediction"][0]["start"] == 0
    assert client.get("/tasks/orders/suspicious-labels", params={"num": 0}).status_code == 422
    client.delete("/tasks/lists")


def test_with_a_threshold_of_one_no_label_is_predicted(client):
    client.put("/tasks/orders", json=ORDERS)
    answer = client.post("/tasks/orders/predict", json={"texts": NEW, "threshold": 1}).json()
    assert answer["predictions"] == [None, None]


def test_zero_shot_stores_nothing(client):
    asked = {"texts": NEW, "labels": ["billing", "delivery"]}
    assert set(client.post("/zero-shot", json=asked).json()["predictions"]) <= {"billing", "delivery"}
    assert client.get("/tasks").json() == {"tasks": [], "damaged": {}}


def test_a_deleted_task_is_gone_from_memory_and_disk(client, tmp_path):
    client.put("/tasks/orders", json=ORDERS)
    assert client.delete("/tasks/orders").status_code == 204
    assert client.get("/tasks/orders").status_code == 404
    assert list((tmp_path / "tasks").iterdir()) == []


def test_metrics_count_requests_texts_and_tasks(client):
    client.put("/tasks/orders", json=ORDERS)
    client.get("/no/such/page")
    lines = client.get("/metrics").text.splitlines()
    assert 'metamapping_requests_total{method="PUT",route="/tasks/{name}",status="201"} 1.0' in lines
    assert 'metamapping_requests_total{method="other",route="other",status="404"} 1.0' in lines
    assert "metamapping_encoded_texts_total 5.0" in lines  # four, and one at the start
    assert "metamapping_tasks 1.0" in lines


def test_labels_probabilities_and_confidences_encode_a_text_once(client):
    client.put("/tasks/orders", json=ORDERS)
    client.post("/tasks/orders/predict", json={"texts": NEW, "threshold": 0.1, "probabilities": True})
    assert "metamapping_encoded_texts_total 7.0" in client.get("/metrics").text.splitlines()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "sentence"),
    [
        ("PUT", "/tasks/.hidden", ORDERS, 422, "task name '.hidden': expected 1 to 100 letters"),
        ("PUT", "/tasks/" + "x" * 101, ORDERS, 422, "choose another name"),
        ("PUT", "/tasks/a%0A", ORDERS, 422, "choose another name"),
        ("PUT", "/tasks/..%2F..%2Fx", ORDERS, 404, "there is no PUT"),
        ("PUT", "/tasks/x", {"examples": ORDERS["examples"][:2]}, 422, "only one label (delivery)"),
        ("PUT", "/tasks/x", {"examples": []}, 422, "examples is []"),
        ("PUT", "/tasks/x", {"examples": [{"text": 3, "label": "a"}]}, 422, "examples.0.text is 3"),
        ("PUT", "/tasks/x", {"example": []}, 422, "examples is missing"),
        ("PUT", "/tasks/x", {"examples": [*PAIRS, ORDERS["examples"][0]]}, 422, "example 2 has no text_pair"),
        ("PUT", "/tasks/x", {**ORDERS, "label_names": {"no": "x"}}, 422, "'no', which is not a label"),
        ("PUT", "/tasks/x", {"examples": ORDERS["examples"] * 2}, 422, "8 examples, but may have 6"),
        (
            "PUT",
            "/tasks/x",
            {"examples": [{"text": "y" * 201, "label": "a"}]},
            422,
            "202 characters",
        ),
        (
            "POST",
            "/tasks/orders/examples",
            {"examples": ORDERS["examples"][:3]},
            422,
            "would have 7",
        ),
        ("POST", "/tasks/orders/predict", {"texts": ["a"] * 6}, 422, "6 texts, but a request may have 5"),
        ("POST", "/tasks/orders/predict", {"texts": [["a"]]}, 422, "lists of words are for ner"),
        ("POST", "/tasks/orders/predict", {"texts": ["a"], "text_pairs": ["b"]}, 422, "leave them out"),
        ("POST", "/tasks/orders/predict", {"texts": ["a"], "threshold": 2}, 422, "threshold is 2"),
        (
            "POST",
            "/tasks/orders/predict",
            {"texts": ["a"], "threshold": True},
            422,
            "threshold is True: expected a probability",
        ),
        (
            "POST",
            "/tasks/orders/predict",
            {"texts": ["a"], "threshold": {"outside": 2}},
            422,
            "'outside': 2}: expected a probability",
        ),
        (
            "PUT",
            "/tasks/x",
            {"examples": [{"text": "y", "label": ["a", "b"]}], "multi_label": False},
            422,
            "several labels for one text need a multi-label task",
        ),
        ("POST", "/tasks/nothing/predict", {"texts": ["a"]}, 404, "there is no task 'nothing'"),
        ("POST", "/zero-shot", {"texts": ["a"], "labels": ["b"]}, 422, "only one label (b)"),
        ("DELETE", "/tasks/nothing", None, 404, "there is no task 'nothing'"),
        ("GET", "/nowhere", None, 404, "there is no GET '/nowhere': /docs lists"),
        ("PATCH", "/tasks/orders", None, 405, "there is no PATCH"),
    ],
)
def test_an_invalid_request_is_answered_with_one_sentence(client, method, path, body, status, sentence):
    client.put("/tasks/orders", json=ORDERS)
    answer = client.request(method, path, json=body)
    assert answer.status_code == status
    assert sentence in answer.json()["detail"]
    assert "Value error" not in answer.json()["detail"]


def test_a_body_that_is_not_json_or_too_long_is_rejected(client):
    headers = {"content-type": "application/json"}
    broken = client.put("/tasks/x", content=b'{"examples": [', headers=headers)
    assert broken.status_code == 422
    assert "the body is not valid JSON" in broken.json()["detail"]
    too_long = client.put("/tasks/x", content=(b" " * 65_536 for _ in range(20)), headers=headers)
    assert too_long.status_code == 413
    assert "the body has more than 1049776 bytes" in too_long.json()["detail"]


@pytest.mark.parametrize("text", ["", " \n", "\x00"])
def test_an_empty_text_gets_no_label(client, text):
    client.put("/tasks/orders", json=ORDERS)
    asked = {"texts": [text, "my money"], "probabilities": True}
    answer = client.post("/tasks/orders/predict", json=asked).json()
    assert answer["predictions"][0] is None
    assert answer["predictions"][1] in ("delivery", "refund")
    assert answer["confidences"][0] == 0
    assert answer["probabilities"][0] == [0.5, 0.5]
    refused = client.put("/tasks/x", json={"examples": [*ORDERS["examples"], {"text": text, "label": "x"}]})
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("text 4 is empty")


@pytest.mark.parametrize("text", ["🙂", "half a pair: \\ud800"])
def test_any_text_gets_a_label(client, text):
    client.put("/tasks/orders", json=ORDERS)
    body = f'{{"texts": ["{text}"]}}' if "\\" in text else None
    if body is None:
        answer = client.post("/tasks/orders/predict", json={"texts": [text]})
    else:
        headers = {"content-type": "application/json"}
        answer = client.post("/tasks/orders/predict", content=body, headers=headers)
    assert answer.json()["predictions"][0] in ("delivery", "refund")


def test_one_task_too_many_is_rejected(client):
    for name in ("a", "b", "c"):
        client.put(f"/tasks/{name}", json=ORDERS)
    answer = client.put("/tasks/d", json=ORDERS)
    assert answer.status_code == 409
    assert "there are 3 tasks" in answer.json()["detail"]
    assert client.put("/tasks/a", json=ORDERS).status_code == 200


def test_a_loading_server_answers_503(serve):
    client = serve(load=False)
    assert client.get("/health").status_code == 503
    answer = client.get("/tasks")
    assert answer.status_code == 503
    assert "still loading" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0


def test_an_unexpected_error_is_one_sentence_too(client):
    client.app.state.service = None
    answer = TestClient(client.app, "http://127.0.0.1", raise_server_exceptions=False).get("/tasks")
    assert answer.status_code == 500
    assert "its log contains the reason" in answer.json()["detail"]


def test_texts_may_have_any_number_of_labels(client):
    examples = [
        {"text": "where is my parcel", "label": ["delivery"]},
        {"text": "my money, hurry", "label": ["refund", "urgent"]},
        {"text": "thanks", "label": []},
    ]
    created = client.put("/tasks/several", json={"examples": examples})
    assert created.status_code == 201
    assert created.json()["multi_label"] is True
    assert created.json()["labels"] == ["delivery", "refund", "urgent"]
    request = {"texts": ["the parcel", " "], "probabilities": True}
    answer = client.post("/tasks/several/predict", json=request).json()
    assert all(isinstance(each, list) for each in answer["predictions"])
    assert answer["predictions"][1] == []
    assert len(answer["probabilities"][0]) == 3
    every = client.post("/tasks/several/predict", json={"texts": ["the parcel"], "threshold": 0}).json()
    assert every["predictions"] == [["delivery", "refund", "urgent"]]
    more = client.post("/tasks/several/examples", json={"examples": examples[:1]})
    assert more.json()["num_examples"] == 4
    client.delete("/tasks/several")
