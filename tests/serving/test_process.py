"""A real server process: it serves many clients, and ends on SIGTERM."""

import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from benchmarks.faults.servers import kill_servers
from tests.project.test_readme import ROOT, blocks
from tests.serving.server import ORDERS

CLIENTS = 50
REQUESTS_PER_CLIENT = 10


@pytest.mark.slow
def test_fifty_clients_at_once_are_answered_without_an_error(start):
    server = start()
    assert server.wait_for(200, 503) == 503, "it listens before the encoder is loaded"
    server.wait_for(200)
    assert server.http.put("/tasks/orders", json=ORDERS).status_code == 201
    body = {"texts": ["where is the order", "my money"]}
    expected = server.http.post("/tasks/orders/predict", json=body).json()

    def ask(client):
        with httpx.Client(base_url=server.url, timeout=60) as http:
            for number in range(REQUESTS_PER_CLIENT):
                if client % 10 == 0 and number % 5 == 0:
                    assert http.put(f"/tasks/of-{client}", json=ORDERS).status_code in (200, 201)
                answer = http.post("/tasks/orders/predict", json=body)
                assert answer.status_code == 200
                assert answer.json() == expected
        return REQUESTS_PER_CLIENT

    with ThreadPoolExecutor(CLIENTS) as threads:
        assert sum(threads.map(ask, range(CLIENTS))) == CLIENTS * REQUESTS_PER_CLIENT
    assert len(server.http.get("/tasks").json()["tasks"]) == 6
    assert server.end() == -signal.SIGTERM


@pytest.mark.slow
def test_a_killed_server_keeps_its_tasks(start):
    server = start(METAMAPPING_API_KEY="a key for these tests")
    server.wait_for(200)
    headers = {"X-API-Key": "a key for these tests"}
    assert server.http.put("/tasks/orders", json=ORDERS).status_code == 401
    assert server.http.put("/tasks/orders", json=ORDERS, headers=headers).status_code == 201
    server.kill()
    again = start("--host", "127.0.0.1")
    again.wait_for(200)
    assert again.http.get("/tasks/orders").json()["num_examples"] == 4


@pytest.mark.slow
def test_a_server_killed_under_load_loses_nothing_that_it_acknowledged(published, tmp_path):
    lost, num_answers = kill_servers(published, tmp_path, num_kills=3, seed=0)
    assert num_answers > 0
    assert lost == [[]] * 3


@pytest.mark.slow
def test_a_server_ends_on_sigterm_while_it_loads(start):
    server = start()
    server.wait_for(503)
    assert server.end() == -signal.SIGTERM


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_shell_session_of_the_documentation_runs(start):
    server = start()
    server.wait_for(200)
    document = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
    (session,) = [block for block in blocks(document, "console") if "curl" in block]
    session = session.replace("http://127.0.0.1:8080", server.url)
    ended = subprocess.run(["bash", "-euc", session], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert '"predictions":["delivery"]' in ended.stdout
    assert server.http.get("/tasks").json()["tasks"] == []
