"""The templates of the work pools are valid for the workers that will read them; nothing is started."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import jsonschema
import pytest
import yaml
from kubernetes_asyncio.client import ApiClient
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.workers.process import ProcessWorker
from prefect_docker.worker import DockerWorker
from prefect_kubernetes.worker import KubernetesWorker

from deployments.processes import read_env_file
from deployments.work_pools import (
    LIMITS,
    TYPES,
    describe_pool,
    ensure_pools,
    is_made_by_prefect,
    with_defaults,
    work_pool,
)

DEPLOYMENTS = Path(__file__).parents[2] / "deployments"
WORKERS = {worker.type: worker for worker in (ProcessWorker, DockerWorker, KubernetesWorker)}
each_pool = pytest.mark.parametrize(
    ("name", "pool_type"), [(name, pool_type) for name in LIMITS for pool_type in TYPES]
)


def job(name: str, pool_type: str, **job_variables: Any) -> Any:
    """The job that a worker would start for a flow run."""
    template = work_pool(name, pool_type).base_job_template

    async def prepare() -> Any:
        # No request is sent: the templates refer to no block.
        async with PrefectClient("http://127.0.0.1:9/api") as client:
            configuration = WORKERS[pool_type].job_configuration
            made = await configuration.from_template_and_values(template, job_variables, client=client)
        made.prepare_for_flow_run(FlowRun(id=uuid4(), flow_id=uuid4(), name="train"))
        return made

    return asyncio.run(prepare())


def test_every_kind_of_worker_has_a_template() -> None:
    assert set(TYPES) == set(WORKERS)


@each_pool
def test_a_template_has_only_keys_that_its_worker_knows(name: str, pool_type: str) -> None:
    template = work_pool(name, pool_type).base_job_template
    known = WORKERS[pool_type].job_configuration.model_json_schema()["properties"]
    assert set(template["job_configuration"]) <= set(known)
    assert "prefect" in str(job(name, pool_type).command)


@each_pool
def test_the_defaults_of_a_template_match_the_schema_of_its_variables(name: str, pool_type: str) -> None:
    variables = work_pool(name, pool_type).base_job_template["variables"]
    jsonschema.Draft202012Validator.check_schema(variables)
    defaults = {key: about["default"] for key, about in variables["properties"].items() if "default" in about}
    jsonschema.Draft202012Validator(variables).validate(defaults)


@each_pool
def test_every_variable_of_a_template_is_used_and_has_a_title(name: str, pool_type: str) -> None:
    template = work_pool(name, pool_type).base_job_template
    used = str(template["job_configuration"])
    for variable, about in template["variables"]["properties"].items():
        assert f"{{{{ {variable} }}}}" in used
        assert about["title"]


def test_a_worker_starts_prefect_once_per_run() -> None:
    started = job("cpu", "process")
    assert started.command == "python -m prefect.engine"
    assert started._command_configured  # otherwise the worker prepares the folder in another process


@each_pool
def test_a_run_retries_requests_longer_than_its_worker(
    name: str, pool_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = "PREFECT_CLIENT_MAX_RETRIES"
    worker_retries = read_env_file(DEPLOYMENTS / "worker.env")[setting]
    monkeypatch.setenv(setting, worker_retries)  # a run inherits it from its worker unless the pool sets it
    assert int(job(name, pool_type).env[setting]) > int(worker_retries)


def container(name: str, **job_variables: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pod and its only container; the client of Kubernetes knows all their keys."""
    manifest = job(name, "kubernetes", **job_variables).job_manifest
    for misplaced in ("completions", "parallelism"):  # required by prefect_kubernetes
        del manifest["spec"]["template"]["spec"][misplaced]
    assert as_kubernetes_knows(manifest, "V1Job") == manifest
    pod = manifest["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    return pod, only


def as_kubernetes_knows(manifest: dict[str, Any], kind: str) -> Any:
    """The manifest after a round trip through the client's model, which drops unknown keys."""
    client = ApiClient.__new__(ApiClient)  # without a connection pool, which needs an event loop
    client.configuration = SimpleNamespace(client_side_validation=True)
    model = client._ApiClient__deserialize(manifest, kind)
    return client.sanitize_for_serialization(model)


def test_only_training_requests_a_gpu_from_kubernetes() -> None:
    assert container("gpu")[1]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container("cpu")[1]["resources"]["limits"]["nvidia.com/gpu"] == "0"


def test_a_kubernetes_job_mounts_the_volume_and_is_not_root() -> None:
    pod, only = container("cpu")
    assert [each["mountPath"] for each in only["volumeMounts"]] == ["/data"]
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == "metamapping"
    assert pod["securityContext"]["runAsNonRoot"]


def test_a_kubernetes_job_needs_no_volume_if_home_is_an_address() -> None:
    pod, only = container("cpu", volumes=[], volume_mounts=[])
    assert pod["volumes"] == only["volumeMounts"] == []


def test_secrets_come_from_kubernetes_and_are_in_no_template() -> None:
    _, only = container("cpu")
    assert only["envFrom"] == [{"secretRef": {"name": "metamapping", "optional": True}}]
    text = (DEPLOYMENTS / "pools/kubernetes.yaml").read_text() + (
        DEPLOYMENTS / "pools/docker.yaml"
    ).read_text()
    assert not any(word in text for word in ("PREFECT_API_AUTH_STRING", "AWS_SECRET_ACCESS_KEY"))


def test_only_training_requests_a_gpu_from_docker() -> None:
    (request,) = job("gpu", "docker").container_create_kwargs["device_requests"]
    assert (request["count"], request["capabilities"]) == (1, [["gpu"]])
    assert "device_requests" not in job("cpu", "docker").container_create_kwargs


def test_containers_use_the_network_and_the_volume_of_docker_compose() -> None:
    compose = yaml.safe_load((DEPLOYMENTS.parent / "docker-compose.yml").read_text())
    project = (DEPLOYMENTS / "example.env").read_text().splitlines()[0].partition("=")[2]
    made = job("cpu", "docker")
    assert made.networks == [f"{project}_default"]
    assert made.volumes == [f"{project}_data:/data"]
    assert "data" in compose["volumes"]
    assert made.env["PREFECT_API_URL"] == compose["x-worker"]["environment"]["PREFECT_API_URL"]
    images = {
        "cpu": compose["services"]["worker-cpu"]["image"],
        "gpu": compose["services"]["worker-gpu"]["image"],
    }
    assert {name: job(name, "docker").image for name in LIMITS} == images


def test_the_manifests_of_the_workers_have_only_keys_that_kubernetes_knows() -> None:
    kinds = {"PersistentVolumeClaim", "ServiceAccount", "Role", "RoleBinding", "Deployment"}
    manifests = list(yaml.safe_load_all((DEPLOYMENTS / "kubernetes.yaml").read_text()))
    assert {manifest["kind"] for manifest in manifests} == kinds
    for manifest in manifests:
        assert as_kubernetes_knows(manifest, f"V1{manifest['kind']}") == manifest, manifest["kind"]


class Pools:
    """The pools of a server, as its client shows them."""

    def __init__(self, **existing: Any) -> None:
        self.pools = existing

    def read_work_pool(self, name: str) -> Any:
        if name not in self.pools:
            raise ObjectNotFound(Exception(name))
        return self.pools[name]

    def create_work_pool(self, pool: Any) -> None:
        if pool.name in self.pools:
            raise ObjectAlreadyExists(Exception(pool.name))
        self.pools[pool.name] = pool

    def update_work_pool(self, name: str, update: Any) -> None:
        vars(self.pools[name]).update(update.model_dump(exclude_unset=True))


def made_by_worker(pool_type: str, **fields: Any) -> SimpleNamespace:
    """A pool as Prefect's own worker creates it when it does not find one."""
    template = WORKERS[pool_type].get_default_base_job_template()
    return SimpleNamespace(
        **{"type": pool_type, "base_job_template": template, "concurrency_limit": None, **fields}
    )


def as_shown(pools: Pools) -> dict[str, tuple[Any, ...]]:
    return {
        name: (pool.type, pool.concurrency_limit, pool.base_job_template)
        for name, pool in pools.pools.items()
    }


def test_an_existing_pool_of_another_type_is_an_error() -> None:
    pools = Pools(cpu=made_by_worker("process"))
    with pytest.raises(SystemExit, match=r"pool 'cpu' is of type 'process'.*delete it on its page"):
        ensure_pools(pools, "kubernetes")


@pytest.mark.parametrize("pool_type", TYPES)
@pytest.mark.parametrize("before", [[], ["cpu"], ["gpu"], ["cpu", "gpu"]])
def test_any_order_of_worker_and_deploy_ends_in_the_same_pools(pool_type: str, before: list[str]) -> None:
    expected = Pools()
    ensure_pools(expected, pool_type)
    assert {name: pool.concurrency_limit for name, pool in expected.pools.items()} == {"cpu": None, "gpu": 1}
    pools = Pools(**{name: made_by_worker(pool_type) for name in before})
    ensure_pools(pools, pool_type)
    assert as_shown(pools) == as_shown(expected)
    ensure_pools(pools, pool_type, ["gpu"])  # a worker of one pool, later
    assert as_shown(pools) == as_shown(expected)


def test_a_pool_that_another_command_creates_meanwhile_is_checked_as_well() -> None:
    class Racing(Pools):
        def create_work_pool(self, pool: Any) -> None:
            self.pools.setdefault(pool.name, made_by_worker("process"))
            super().create_work_pool(pool)

    pools = Racing()
    ensure_pools(pools, "process")
    assert as_shown(pools)["gpu"][1] == 1


def test_what_people_have_set_on_the_page_of_a_pool_is_kept() -> None:
    ours = work_pool("gpu", "process")
    changed = with_defaults(ours.base_job_template, {"env": {"MINE": "1"}})
    pools = Pools(
        cpu=made_by_worker("process", concurrency_limit=7),  # not yet ours, but with a limit of a person
        gpu=SimpleNamespace(type="process", base_job_template=changed, concurrency_limit=3),
    )
    ensure_pools(pools, "process")
    assert as_shown(pools)["gpu"] == ("process", 3, changed)
    assert as_shown(pools)["cpu"] == ("process", 7, work_pool("cpu", "process").base_job_template)


@each_pool
def test_prefects_own_template_is_told_from_ours(name: str, pool_type: str) -> None:
    assert is_made_by_prefect(WORKERS[pool_type].get_default_base_job_template())
    assert not is_made_by_prefect(work_pool(name, pool_type).base_job_template)


def test_a_pool_is_described_with_its_limit() -> None:
    about = {"name": "gpu", "type": "process", "is_paused": False}
    assert describe_pool(SimpleNamespace(**about, concurrency_limit=1)) == "gpu (process, 1 run at a time)"
    assert describe_pool(SimpleNamespace(**about, concurrency_limit=None)) == "gpu (process, no limit)"


def test_an_unknown_type_is_an_error() -> None:
    with pytest.raises(SystemExit, match="'slurm': expected one of docker, kubernetes, process"):
        work_pool("cpu", "slurm")
