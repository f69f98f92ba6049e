"""Register everything on a Prefect server: ``make deploy CONFIG=configs/demo.yaml``.

Pools and automations, the deployments of deployments/prefect.yaml, a nightly schedule (paused), and
the configuration that the form of `meta-pretraining` opens with. Doing it again brings all that up
to date, and leaves alone what people switch in the UI: schedules, limits, paused automations.
The server is the one that PREFECT_API_URL names. METAMAPPING_POOLS says what runs are: a process beside
their worker (`process`, where nothing is said), a container (`docker`) or a job (`kubernetes`).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from prefect import get_client
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.types import SecretDict

from deployments.work_pools import create_pools
from metamapping.config.loading import read_config
from metamapping.errors import ConfigError

FOLDER = Path(__file__).parent
MAIN = "meta-pretraining/meta-pretraining"
NIGHTLY = CronSchedule(cron="0 2 * * *", timezone="UTC")
NOTIFY = "metamapping-notify"


def main(config_path: str) -> None:
    """Register everything; the form opens with the configuration at ``config_path``."""
    config = read_config(config_path)
    config = config.at_home(os.environ.get("METAMAPPING_HOME", config.home))
    with get_client(sync_client=True) as client:
        create_pools(client, os.environ.get("METAMAPPING_POOLS", "process"))
        register_deployments()
        fill_form(client, {"config": config.model_dump(mode="json", exclude_none=True)})
        add_nightly_schedule(client)
        create_automations(client, os.environ.get("METAMAPPING_NOTIFY_URL"))


def register_deployments() -> None:
    """``prefect deploy --all``, from the repository's root, where workers find the code."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    subprocess.run([*command, "--prefect-file", str(FOLDER / "prefect.yaml")], check=True, cwd=FOLDER.parent)


def fill_form(client: SyncPrefectClient, parameters: dict[str, Any]) -> None:
    """What the form of the main deployment opens with, and what a run without a form takes."""
    deployment = client.read_deployment_by_name(MAIN)
    client.update_deployment(deployment.id, DeploymentUpdate(parameters=parameters))


def add_nightly_schedule(client: SyncPrefectClient) -> None:
    """A paused schedule, unless the deployment has one already."""
    deployment = client.read_deployment_by_name(MAIN)
    if not deployment.schedules:
        client.create_deployment_schedules(deployment.id, [(NIGHTLY, False)])


def create_automations(client: SyncPrefectClient, notify_url: str | None) -> None:
    """Those of automations.yaml; the ones that notify only where there is an address to notify."""
    block_id = save_notification_block(notify_url) if notify_url else None
    for wanted in yaml.safe_load((FOLDER / "automations.yaml").read_text(encoding="utf-8")):
        notifies = [action for action in wanted["actions"] if "block_document_id" in action]
        if notifies and block_id is None:
            print(f"left out, for METAMAPPING_NOTIFY_URL is not set: {wanted['name']}")
            continue
        for action in notifies:
            action["block_document_id"] = str(block_id)
        automation = AutomationCore.model_validate(wanted)
        known: list[Automation] = client.read_automations_by_name(automation.name)
        if known:
            enabled = automation.model_copy(update={"enabled": known[0].enabled})
            client.update_automation(known[0].id, enabled)
        else:
            client.create_automation(automation)


def save_notification_block(url: str) -> UUID:
    """Save what ``notification_block`` makes."""
    return notification_block(url).save(NOTIFY, overwrite=True)


def notification_block(url: str) -> CustomWebhookNotificationBlock:
    """A webhook that Slack, Mattermost and their like understand: ``{"text": …}``."""
    message = {"text": "{{subject}}\n{{body}}"}
    # Who knows a webhook's address may write there: it is kept as a secret, and shown to nobody.
    secret = SecretDict({"address": url})
    return CustomWebhookNotificationBlock(name=NOTIFY, url="{{address}}", secrets=secret, json_data=message)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m deployments.deploy", description=__doc__)
    parser.add_argument("config", metavar="CONFIG.yaml", help="what the form opens with")
    try:
        main(parser.parse_args().config)
    except ConfigError as error:
        raise SystemExit(f"error: {error}") from error
