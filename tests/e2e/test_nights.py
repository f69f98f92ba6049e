"""Nights on a Prefect server: nothing new, better, worse, rolled back, while `serve` follows production.

The first night is the run that its schedule has started. All nights after it share a copy of its home.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from metamapping.runs.registry import Registry
from tests.e2e.pages import field, open_form, take_picture
from tests.e2e.prefect_server import EMPTY_PAGE, ROOT, PrefectServer, wait_for
from tests.serving.server import ORDERS, Server

pytestmark = pytest.mark.slow

NUM_NEW_ROWS = 200
INTERFACES = ("", "/v2")  # of the server, by their paths


class Callers:
    """Two clients of `metamapping serve` that ask all the time, and how often they got which status."""

    def __init__(self, url: str) -> None:
        self.statuses: Counter[int] = Counter()
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(url,), daemon=True) for _ in range(2)]
        for thread in self._threads:
            thread.start()

    def _ask(self, url: str) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while not self._end.is_set():
                try:
                    status = client.post("/tasks/orders/predict", json={"texts": ["is it lost?"]}).status_code
                except httpx.HTTPError:
                    status = 0
                self.statuses[status] += 1
                self._end.wait(0.1)  # the nights need the cores, too

    def stop(self) -> None:
        """Let them finish their last requests."""
        self._end.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture(scope="module")
def home(server: PrefectServer, undisturbed: dict[str, Any]) -> Path:
    """The home of the nights, with the encoder of the first one in production."""
    assert undisturbed["state_type"] == "COMPLETED"
    home = server.folder / "nights"
    shutil.copytree(server.folder / "undisturbed", home)
    (first,) = (home / "runs").iterdir()
    Registry(home).promote(first.name, why="the first", by="ann")
    return home


@pytest.fixture
def served(home: Path, tmp_path: Path) -> Iterator[Server]:
    """`metamapping serve --follow production`, with a task."""
    server = Server("--follow=production", tmp_path, ["--home", str(home)], {})
    try:
        server.wait_for(200)
        assert server.http.put("/tasks/orders", json=ORDERS).status_code == 201
        yield server
    finally:
        server.kill()


def test_a_night_without_change_ends_in_seconds_and_its_page_says_so(
    server: PrefectServer, home: Path, page: Any
) -> None:
    open_form(server, page)
    field(page, "Home (Optional)").fill(".metamapping")
    take_picture(page, "form")
    field(page, "Home (Optional)").fill(str(home))
    page.get_by_role("button", name="Submit").click()
    night = server.started_run(home)
    page.goto(EMPTY_PAGE)
    ended = server.wait_for_state(night, "COMPLETED", "FAILED", "CRASHED", seconds=300)
    assert ended["state"]["name"] == "NothingNew", ended["state"]["message"]
    assert set(server.stages(night)) == {"prepare"}
    (run,) = (home / "runs").iterdir()
    see_outcome(page, server, night, "NothingNew", "No row and no setting has changed", run.name)


def test_nights_are_retried_approved_refused_and_rolled_back_while_the_encoder_is_served(
    server: PrefectServer, home: Path, page: Any, messages: list[str], served: Server
) -> None:
    registry = Registry(home)
    first = registry.production
    callers, encoders = Callers(served.url), [encoder_of(served)]

    # Rows are new. Its evaluation fails, and is retried in the browser; a person approves.
    night = server.start_run(**settings(server, home), start="production", promotion={"mode": "approval"})
    retry_evaluation(server, home, page, night, messages)
    wait_for(lambda: asks(server, night), 600, "the form")
    better = registry.candidate
    approve(server, page, night)
    ended = server.wait_for_state(night, "COMPLETED", "FAILED", "CRASHED", seconds=300)
    assert ended["state"]["name"] == "Promoted", ended["state"]["message"]
    counts = {name: run["run_count"] for name, run in server.stages(night).items()}
    once = dict.fromkeys(("prepare", "train", "adjust", "publish", "check"), 1)
    assert counts == {**once, "evaluate": 2}
    assert registry.production == better
    assert "bank (" in shown(server, server.stages(night)["prepare"]["id"], "corpus-report-tiny")
    told = shown(server, night, f"run-{better}")
    assert "Approved by bob: it knows more labels" in ended["state"]["message"]
    assert "## Against production" in told
    assert "**Promoted** by bob" in told
    see_outcome(page, server, night, "Promoted", "Approved by bob", str(better))
    wait_for(lambda: encoder_of(served) != encoders[0], 120, "the new encoder to be served")
    encoders.append(encoder_of(served))

    # It continues by mistake from an old encoder.
    wrong = settings(server, home, meta_steps=1)
    night = server.start_run(**wrong, start=first, promotion={"mode": "automatic"})
    ended = server.wait_for_state(night, "COMPLETED", "FAILED", "CRASHED", seconds=900)
    assert ended["state"]["name"] == "NotPromoted", ended["state"]["message"]
    assert "Clearly worse than production: " in ended["state"]["message"]
    assert registry.production == better
    see_outcome(page, server, night, "NotPromoted", "Clearly worse", newest_run(home).name)
    assert encoder_of(served) == encoders[1]

    # Somebody complains.
    back = server.start_stage("rollback", by="eve", why="complaints", home=str(home))
    ended = server.wait_for_state(back, "COMPLETED", "FAILED", "CRASHED", seconds=300)
    assert ended["state"]["name"] == "RolledBack", ended["state"]["message"]
    assert registry.production == first
    wait_for(lambda: encoder_of(served) == encoders[0], 120, "the old encoder to be served")
    callers.stop()
    assert set(callers.statuses) == {200}, callers.statuses


def settings(server: PrefectServer, home: Path, *, meta_steps: int = 400) -> dict[str, Any]:
    """The settings of the nights: 200 rows are new, and by default training is long enough to gain."""
    config = server.deployment("meta-pretraining")["parameters"]["config"]
    grown = home / "bank.csv"
    if not grown.exists():
        new = (ROOT / "samples/library.csv").read_text().splitlines(keepends=True)[1 : 1 + NUM_NEW_ROWS]
        grown.write_text((ROOT / "samples/bank.csv").read_text() + "".join(new))
    sources = [
        {**source, "files": [str(grown)]} if source["name"] == "bank" else source
        for source in config["sources"]
    ]
    return {
        "home": str(home),
        "sources": sources,
        "training": {**config["training"], "meta_steps": meta_steps, "learning_rate": 1e-3},
        "evaluation": {**config["evaluation"], "shots": [1, 4], "num_queries": 5, "num_episodes": 40},
        "convergence": {**config["convergence"], "population": "episodes"},
    }


def retry_evaluation(server: PrefectServer, home: Path, page: Any, night: str, messages: list[str]) -> None:
    """Let the evaluation of a night fail, and press Retry on its page."""
    server.wait_for_stage(night, "train", "RUNNING")
    run = newest_run(home)
    broken = run / "validation-1.json"
    broken.write_text("{")
    server.wait_for_state(night, "FAILED", seconds=600)
    failed = server.stages(night)["evaluate"]
    assert "validation-1.json is damaged" in failed["state"]["message"]
    assert "evaluate round 1" in server.run(night)["state"]["message"]
    wait_for(
        lambda: any(re.match(r"meta-pretrain tiny \(.*\): Failed", each) for each in messages),
        60,
        "the message about it",
    )
    page.goto(f"{server.url}/runs/flow-run/{night}")
    page.get_by_role("button", name="Retry").wait_for()
    take_picture(page, "failed")
    broken.unlink()
    page.goto(f"{server.url}/runs/flow-run/{failed['id']}")
    page.get_by_role("button", name="Retry").click()
    page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    wait_for(lambda: server.run(failed["id"])["state_type"] != "FAILED", 60, "the retry")
    page.goto(EMPTY_PAGE)
    # It goes on when the stage has ended.
    wait_for(lambda: server.run(night)["state_type"] != "FAILED", 300, "the main run to go on")


def newest_run(home: Path) -> Path:
    return max((home / "runs").iterdir(), key=lambda run: (run / "run.json").stat().st_mtime)


def asks(server: PrefectServer, night: str) -> bool:
    """Whether a night waits for an answer."""
    state = server.run(night)["state"]
    assert state["type"] not in ("FAILED", "CRASHED", "COMPLETED"), state
    return state["type"] == "PAUSED" and "waits for approval" in (state["message"] or "")


def approve(server: PrefectServer, page: Any, night: str) -> None:
    """Fill the form on the page of a night, and submit it."""
    page.goto(f"{server.url}/runs/flow-run/{night}")
    page.get_by_role("button", name="Resume").click()
    field(page, "Decision").fill("promote")
    field(page, "Reason (Optional)").fill("it knows more labels")
    field(page, "By").fill("bob")
    take_picture(page, "approval")
    page.locator(".p-modal__footer").get_by_role("button", name="Submit").click()
    wait_for(lambda: server.run(night)["state_type"] != "PAUSED", 60, "the answer")
    page.goto(EMPTY_PAGE)


def see_outcome(page: Any, server: PrefectServer, night: str, name: str, message: str, run_id: str) -> None:
    """Wait until both interfaces show on a night's page its outcome, the reason, and the run's artifact.

    `message` is the beginning of the reason: after 70 characters, the page cuts the message of a state.
    """
    for interface in INTERFACES:
        page.goto(f"{server.url}{interface}/runs/flow-run/{night}")
        page.get_by_text(name, exact=True).first.wait_for()
        page.get_by_text("Details", exact=True).first.click()
        page.get_by_text(message).first.wait_for()
        page.get_by_text("Artifacts", exact=True).first.click()
        page.get_by_text(f"run-{run_id}").first.wait_for()
        take_picture(page, f"{name}{interface.replace('/', '-')}")
    page.goto(EMPTY_PAGE)


def shown(server: PrefectServer, run_id: str, key: str) -> str:
    """The newest version of an artifact of a run."""
    return str([each["data"] for each in server.artifacts(run_id) if each["key"] == key][-1])


def encoder_of(served: Server) -> list[float]:
    """What only the encoder decides: the probabilities of a text whose labels are known by their names."""
    request = {"labels": ["billing", "delivery"], "texts": ["it has not arrived"], "probabilities": True}
    answer = served.http.post("/zero-shot", json=request)
    # What else is in the same pass through the encoder changes the last digits.
    return [round(each, 4) for each in answer.raise_for_status().json()["probabilities"][0]]
