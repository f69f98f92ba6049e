"""The templates of the work pools, held against the workers that will read them; nothing is started."""

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
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker
from prefect_docker.worker import DockerWorker
from prefect_kubernetes.worker import KubernetesWorker

from deployments.processes import read_env_file
from deployments.work_pools import LIMITS, TYPES, create_pools, work_pool

DEPLOYMENTS = Path(__file__).parents[2] / "deployments"
WORKERS = {worker.type: worker for worker in (ProcessWorker, DockerWorker, KubernetesWorker)}
each_pool = pytest.mark.parametrize(
    ("name", "pool_type"), [(name, pool_type) for name in LIMITS for pool_type in TYPES]
)


def job(name: str, pool_type: str, **job_variables: Any) -> Any:
    """What the worker would start for a flow run."""
    template = work_pool(name, pool_type).base_job_template

    async def prepare() -> Any:
        # Never asked: the templates refer to no block.
        async with PrefectClient("http://127.0.0.1:9/api") as client:
            configuration = WORKERS[pool_type].job_configuration
            made = await configuration.from_template_and_values(template, job_variables, client=client)
        made.prepare_for_flow_run(FlowRun(id=uuid4(), flow_id=uuid4(), name="train"))
        return made

    return asyncio.run(prepare())


def test_there_is_a_template_for_each_kind_of_worker() -> None:
    assert set(TYPES) == set(WORKERS)


@each_pool
def test_a_template_is_one_that_its_worker_reads(name: str, pool_type: str) -> None:
    template = work_pool(name, pool_type).base_job_template
    known = WORKERS[pool_type].job_configuration.model_json_schema()["properties"]
    assert set(template["job_configuration"]) <= set(known)
    assert "prefect" in str(job(name, pool_type).command)


@each_pool
def test_the_variables_of_a_template_are_a_schema_that_its_own_defaults_fulfil(
    name: str, pool_type: str
) -> None:
    variables = work_pool(name, pool_type).base_job_template["variables"]
    jsonschema.Draft202012Validator.check_schema(variables)
    defaults = {key: about["default"] for key, about in variables["properties"].items() if "default" in about}
    jsonschema.Draft202012Validator(variables).validate(defaults)


@each_pool
def test_every_variable_of_a_template_is_used_and_explained(name: str, pool_type: str) -> None:
    template = work_pool(name, pool_type).base_job_template
    used = str(template["job_configuration"])
    for variable, about in template["variables"]["properties"].items():
        assert f"{{{{ {variable} }}}}" in used
        assert about["title"]


def test_a_worker_starts_prefect_once_for_a_run() -> None:
    started = job("cpu", "process")
    assert started.command == "python -m prefect.engine"
    assert started._command_configured  # else the worker prepares the folder in a process of its own


@each_pool
def test_a_run_waits_longer_for_the_server_than_its_worker_does(
    name: str, pool_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = "PREFECT_CLIENT_MAX_RETRIES"
    of_worker = read_env_file(DEPLOYMENTS / "worker.env")[setting]
    monkeypatch.setenv(setting, of_worker)  # which a run would otherwise have from its worker
    assert int(job(name, pool_type).env[setting]) > int(of_worker)


def container(name: str, **job_variables: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pod and its only container, every key of which Kubernetes' own client knows."""
    manifest = job(name, "kubernetes", **job_variables).job_manifest
    for misplaced in ("completions", "parallelism"):  # prefect_kubernetes insists on them
        del manifest["spec"]["template"]["spec"][misplaced]
    assert as_kubernetes_knows(manifest, "V1Job") == manifest
    pod = manifest["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    return pod, only


def as_kubernetes_knows(manifest: dict[str, Any], kind: str) -> Any:
    """The manifest through the client's model, which drops the keys that it does not know."""
    client = ApiClient.__new__(ApiClient)  # without a pool of connections, which would need a loop
    client.configuration = SimpleNamespace(client_side_validation=True)
    model = client._ApiClient__deserialize(manifest, kind)
    return client.sanitize_for_serialization(model)


def test_training_asks_kubernetes_for_one_gpu_and_nothing_else_asks_for_any() -> None:
    assert container("gpu")[1]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container("cpu")[1]["resources"]["limits"]["nvidia.com/gpu"] == "0"


def test_a_job_in_kubernetes_sees_the_volume_and_is_not_root() -> None:
    pod, only = container("cpu")
    assert [each["mountPath"] for each in only["volumeMounts"]] == ["/data"]
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == "metamapping"
    assert pod["securityContext"]["runAsNonRoot"]


def test_a_job_in_kubernetes_needs_no_volume_where_home_is_an_address() -> None:
    pod, only = container("cpu", volumes=[], volume_mounts=[])
    assert pod["volumes"] == only["volumeMounts"] == []


def test_secrets_come_from_kubernetes_and_stand_in_no_template() -> None:
    _, only = container("cpu")
    assert only["envFrom"] == [{"secretRef": {"name": "metamapping", "optional": True}}]
    text = (DEPLOYMENTS / "pools/kubernetes.yaml").read_text() + (
        DEPLOYMENTS / "pools/docker.yaml"
    ).read_text()
    assert not any(word in text for word in ("PREFECT_API_AUTH_STRING", "AWS_SECRET_ACCESS_KEY"))


def test_training_asks_docker_for_one_gpu_and_nothing_else_asks_for_any() -> None:
    (request,) = job("gpu", "docker").container_create_kwargs["device_requests"]
    assert (request["count"], request["capabilities"]) == (1, [["gpu"]])
    assert "device_requests" not in job("cpu", "docker").container_create_kwargs


def test_containers_find_the_network_and_the_volume_of_docker_compose() -> None:
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


def test_the_workers_manifests_have_only_keys_that_kubernetes_knows() -> None:
    kinds = {"PersistentVolumeClaim", "ServiceAccount", "Role", "RoleBinding", "Deployment"}
    manifests = list(yaml.safe_load_all((DEPLOYMENTS / "kubernetes.yaml").read_text()))
    assert {manifest["kind"] for manifest in manifests} == kinds
    for manifest in manifests:
        assert as_kubernetes_knows(manifest, f"V1{manifest['kind']}") == manifest, manifest["kind"]


def test_a_pool_of_another_type_is_refused() -> None:
    class Client:
        def read_work_pool(self, name: str) -> Any:
            return SimpleNamespace(type="process")

    with pytest.raises(SystemExit, match=r"pool 'cpu' is of type 'process'.*delete it on its page"):
        create_pools(Client(), "kubernetes")


def test_pools_that_are_missing_are_created_with_their_limits() -> None:
    made = []

    class Client:
        def read_work_pool(self, name: str) -> Any:
            raise ObjectNotFound(Exception(name))

        create_work_pool = staticmethod(made.append)

    create_pools(Client(), "process")
    assert {pool.name: pool.concurrency_limit for pool in made} == {"cpu": None, "gpu": 1}


def test_a_type_that_is_none_is_refused() -> None:
    with pytest.raises(SystemExit, match="'slurm': expected one of docker, kubernetes, process"):
        work_pool("cpu", "slurm")
