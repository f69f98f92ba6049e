"""Pages of the Prefect server in the browser: the form of a run, and pictures of what is shown.

open_form(server, page)
field(page, "Max Rounds (Optional)").fill("0")
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.e2e.prefect_server import PrefectServer


def open_form(server: PrefectServer, page: Any) -> None:
    deployment = server.deployment("meta-pretraining")
    page.goto(f"{server.url}/deployments/deployment/{deployment['id']}/run")
    field(page, "Max Rounds (Optional)").wait_for()


def field(page: Any, label: str) -> Any:
    """The input with a label in the form."""
    name = f"//span[contains(@class, 'schema-form-property__label')][normalize-space() = '{label}']"
    holder = "/ancestor::div[contains(concat(' ', @class, ' '), ' p-label ')][1]"
    return page.locator(f"xpath={name}{holder}").locator("textarea, input").first


def take_picture(page: Any, name: str) -> None:
    """Save a screenshot in the folder METAMAPPING_PICTURES, if that is set."""
    if folder := os.environ.get("METAMAPPING_PICTURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(5_000)  # the charts of a page are animated
        page.screenshot(path=Path(folder) / f"{name}.png")
