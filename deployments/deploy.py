"""Register everything on a Prefect server: ``make deploy CONFIG=configs/demo.yaml``.

In: a configuration, and the server in PREFECT_API_URL. Out, on the server: work pools, automations, the
deployments of deployments/prefect.yaml, a nightly schedule (paused), and the configuration with which the
form of `meta-pretraining` opens. Registering again updates all of that, and keeps what people have changed
in the UI: schedules, limits, paused automations. At the end it prints what the server now has.

METAMAPPING_POOLS selects how runs are started: as processes of the worker (`process`, the default), as
containers (`docker`) or as jobs (`kubernetes`). METAMAPPING_NOTIFY_URL is a webhook for notifications.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.types import SecretDict

from deployments.connection import connect
from deployments.work_pools import describe_pool, ensure_pools
from metamapping.config.loading import read_config
from metamapping.config.schema import RunConfig
from metamapping.errors import ConfigError

FOLDER = Path(__file__).parent
MAIN = "meta-pretraining/meta-pretraining"
NIGHTLY = CronSchedule(cron="0 2 * * *", timezone="UTC")
NOTIFY = "metamapping-notify"
# Automations are found by name; one that an earlier version created under another name is updated.
FORMER_NAMES = {"Mark runs with missed heartbeats as crashed": "Runs without a sign of life have crashed"}


def main(config_path: str) -> None:
    """Register everything.

    Args:
        config_path: The configuration with which the form of the main deployment opens.

    Raises:
        ConfigError: The configuration is invalid.
    """
    config = read_config(config_path)
    config = config.at_home(os.environ.get("METAMAPPING_HOME", config.home))
    with connect() as client:
        pools = ensure_pools(client, os.environ.get("METAMAPPING_POOLS", "process"))
        names = register_deployments()
        set_form_defaults(client, names, config)
        add_nightly_schedule(client)
        automations = create_automations(client, os.environ.get("METAMAPPING_NOTIFY_URL"))
        schedules = client.read_deployment_by_name(MAIN).schedules
    print(f"Registered on {os.environ['PREFECT_API_URL'].removesuffix('/api')}:")
    print(f"  deployments  {', '.join(names)}")
    print(f"  form         {config_path}, home {config.home}")
    print(f"  pools        {', '.join(describe_pool(pool) for pool in pools)}")
    print(f"  schedules    {', '.join(describe_schedule(each) for each in schedules) or 'none'}")
    for line in automations:
        print(f"  automation   {line}")


def register_deployments() -> list[str]:
    """Run ``prefect deploy --all`` in the repository's root, where workers find the code.

    Returns:
        The names of the deployments, which are those of their flows.

    Raises:
        SystemExit: That failed; Prefect's output has been printed.
    """
    prefect_file = FOLDER / "prefect.yaml"
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file"]
    ended = subprocess.run(
        [*command, str(prefect_file)],
        cwd=FOLDER.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if ended.returncode:
        raise SystemExit(f"{ended.stdout}\nerror: Prefect could not register the deployments")
    return [each["name"] for each in yaml.safe_load(prefect_file.read_text(encoding="utf-8"))["deployments"]]


def set_form_defaults(client: SyncPrefectClient, names: Sequence[str], config: RunConfig) -> None:
    """Set the values with which the forms open, and which scheduled runs use: the configuration, or its home.

    Args:
        client: A client of the server.
        names: The names of the deployments.
        config: The configuration.
    """
    for name in names:
        deployment = client.read_deployment_by_name(f"{name}/{name}")
        fields = (deployment.parameter_openapi_schema or {}).get("properties", {})
        parameters: dict[str, Any] = {}
        if "config" in fields:
            parameters = {"config": config.model_dump(mode="json", exclude_none=True)}
        elif "home" in fields:
            parameters = {"home": config.home}
        client.update_deployment(deployment.id, DeploymentUpdate(parameters=parameters))


def describe_schedule(schedule: DeploymentSchedule) -> str:
    """Describe a schedule in a few words, such as ``0 2 * * * UTC (off)``.

    Args:
        schedule: A schedule of a deployment.
    """
    wanted = schedule.schedule
    if isinstance(wanted, CronSchedule):
        text = f"{wanted.cron} {wanted.timezone or 'UTC'}"
    elif isinstance(wanted, IntervalSchedule):
        text = f"every {wanted.interval}"
    else:
        text = str(wanted)
    return f"{text} ({'on' if schedule.active else 'off'})"


def add_nightly_schedule(client: SyncPrefectClient) -> None:
    """Add a paused schedule to the main deployment, unless it has a schedule already.

    Args:
        client: A client of the server.
    """
    deployment = client.read_deployment_by_name(MAIN)
    if not deployment.schedules:
        schedule = DeploymentScheduleCreate(schedule=NIGHTLY, active=False)
        client.create_deployment_schedules(deployment.id, [schedule])


def create_automations(client: SyncPrefectClient, notify_url: str | None) -> list[str]:
    """Create or update the automations of automations.yaml.

    Args:
        client: The client of the server.
        notify_url: Webhook for notifications; without it, automations that notify are skipped.

    Returns:
        A line about each automation.
    """
    lines = []
    block_id = save_notification_block(notify_url) if notify_url else None
    for wanted in yaml.safe_load((FOLDER / "automations.yaml").read_text(encoding="utf-8")):
        notifies = [action for action in wanted["actions"] if "block_document_id" in action]
        if notifies and block_id is None:
            lines.append(f"{wanted['name']} (skipped, because METAMAPPING_NOTIFY_URL is not set)")
            continue
        for action in notifies:
            action["block_document_id"] = str(block_id)
        automation = AutomationCore.model_validate(wanted)
        known = _known_automation(client, automation.name)
        if known is None:
            client.create_automation(automation)
        else:
            automation = automation.model_copy(update={"enabled": known.enabled})
            client.update_automation(known.id, automation)
        lines.append(f"{automation.name} ({'on' if automation.enabled else 'off'})")
    return lines


def save_notification_block(url: str) -> UUID:
    """Save the block of ``notification_block`` on the server, and return its id.

    Args:
        url: URL of the webhook.
    """
    block_id = notification_block(url).save(NOTIFY, overwrite=True)
    assert isinstance(block_id, UUID), "Block.save is only asynchronous within an event loop"
    return block_id


def notification_block(url: str) -> CustomWebhookNotificationBlock:
    """A webhook that posts ``{"text": …}``, as Slack and Mattermost expect it.

    Args:
        url: URL of the webhook.
    """
    message = {"text": "{{subject}}\n{{body}}"}
    # Anyone who knows the URL of a webhook may post to it: it is stored as a secret.
    secret = SecretDict({"address": url})
    return CustomWebhookNotificationBlock(name=NOTIFY, url="{{address}}", secrets=secret, json_data=message)


def _known_automation(client: SyncPrefectClient, name: str) -> Automation | None:
    """The automation of that name on the server, or the one with its former name."""
    for each in (name, FORMER_NAMES.get(name)):
        if each is not None and (found := client.read_automations_by_name(each)):
            known: Automation = found[0]
            return known
    return None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m deployments.deploy", description=__doc__)
    parser.add_argument("config", metavar="CONFIG.yaml", help="configuration with which the form opens")
    try:
        main(parser.parse_args().config)
    except ConfigError as error:
        raise SystemExit(f"error: {error}") from error
