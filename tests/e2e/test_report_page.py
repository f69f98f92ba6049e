"""The page of a run in a browser: no text in it runs, nothing is loaded, and it fits a phone."""

import pytest

from metamapping.runs.run_page import run_page
from tests.html.reading import HOSTILE
from tests.runs.test_run_page import published_run, with_failures, with_suspicious_rows

pytestmark = pytest.mark.slow
_SAYS_IT_RAN = "window.hasRun = true"


def test_a_hostile_page_runs_and_loads_nothing_and_fits_a_phone(browser, tmp_path):
    hostile = " ".join(HOSTILE).replace("\x00", "").replace("alert(1)", _SAYS_IT_RAN)
    run = with_suspicious_rows(with_failures(published_run(tmp_path), gold=hostile[:80]), hostile)
    (tmp_path / "page.html").write_text(run_page(run), encoding="utf-8")
    page = browser.new_page(viewport={"width": 390, "height": 800})
    said, loaded = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: loaded.append(request.url))
    page.goto((tmp_path / "page.html").as_uri())
    page.locator("summary").first.click()
    assert page.evaluate("window.hasRun") is None
    assert loaded == [(tmp_path / "page.html").as_uri()]
    assert said == []  # such as a violation of the page's own policy
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("getComputedStyle(document.querySelector('.tile')).display") == "block"
    page.close()
