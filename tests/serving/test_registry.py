"""Tasks on disk are found after a restart, and damaged ones are reported."""

import shutil

from tests.serving.server import ORDERS


def test_tasks_are_found_after_a_restart(serve):
    first = serve()
    first.put("/tasks/orders", json=ORDERS)
    first.post("/tasks/orders/examples", json={"examples": [{"text": "hello", "label": "greeting"}]})
    asked = {"texts": ["the parcel", "hello you"], "probabilities": True}
    answer = first.post("/tasks/orders/predict", json=asked).json()
    assert serve().post("/tasks/orders/predict", json=asked).json() == answer


def test_a_damaged_task_is_listed_and_the_others_are_served(serve, tmp_path):
    client = serve()
    client.put("/tasks/orders", json=ORDERS)
    client.put("/tasks/parcels", json=ORDERS)
    (tmp_path / "tasks" / "orders" / "mapping.safetensors").write_bytes(b"not any more")

    client = serve()
    tasks = client.get("/tasks").json()
    assert [task["name"] for task in tasks["tasks"]] == ["parcels"]
    assert "mapping.safetensors is missing or not as it was written" in tasks["damaged"]["orders"]
    answer = client.post("/tasks/orders/predict", json={"texts": ["a"]})
    assert answer.status_code == 409
    assert "replace it with PUT, or delete it" in answer.json()["detail"]

    assert client.put("/tasks/orders", json=ORDERS).status_code == 200
    assert client.post("/tasks/orders/predict", json={"texts": ["a"]}).status_code == 200
    assert client.get("/tasks").json()["damaged"] == {}


def test_a_server_finishes_what_a_killed_one_had_begun(serve, tmp_path):
    client, tasks = serve(), tmp_path / "tasks"
    client.put("/tasks/orders", json=ORDERS)
    client.put("/tasks/parcels", json=ORDERS)
    (tasks / "orders").rename(tasks / ".gone-orders-0123abcd")
    (tasks / "parcels").rename(tasks / ".replaced-parcels-0123abcd")
    assert [task["name"] for task in serve().get("/tasks").json()["tasks"]] == ["parcels"]
    assert [path.name for path in tasks.iterdir()] == ["parcels"]


def test_a_damaged_task_can_be_deleted(serve, tmp_path):
    serve().put("/tasks/orders", json=ORDERS)
    (tmp_path / "tasks" / "orders" / "task.json").unlink()
    client = serve()
    assert client.delete("/tasks/orders").status_code == 204
    assert client.get("/tasks").json() == {"tasks": [], "damaged": {}}


def test_folders_that_are_not_tasks_are_left_unchanged(serve, tmp_path):
    (tmp_path / "tasks" / "letters").mkdir(parents=True)
    (tmp_path / "tasks" / "letters" / "dear.txt").write_text("you")
    client = serve()
    assert client.get("/tasks").json() == {"tasks": [], "damaged": {}}
    assert client.delete("/tasks/letters").status_code == 404
    assert client.put("/tasks/letters", json=ORDERS).status_code == 422
    assert (tmp_path / "tasks" / "letters" / "dear.txt").read_text() == "you"


def test_a_task_that_cannot_be_written_is_not_served(serve, tmp_path):
    client = serve()
    client.put("/tasks/orders", json=ORDERS)
    tasks = tmp_path / "tasks"
    shutil.move(tasks, tmp_path / "kept")
    tasks.write_text("a file where the folder was")
    answer = client.put("/tasks/parcels", json=ORDERS)
    assert answer.status_code == 507
    assert "could not be written" in answer.json()["detail"]
    assert client.get("/tasks/parcels").status_code == 404
