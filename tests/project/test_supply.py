"""Supply chain and containers: versions pinned with hashes, no open ports, no default passwords, no root."""

import re
from pathlib import Path

import pytest
import yaml

from deployments.audit import verdict

ROOT = Path(__file__).parents[2]
REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))
PASSWORDS = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "PREFECT_AUTH")


def pins(path):
    """The requirements of a file, with continuation lines joined."""
    lines = [
        line.split(" #")[0] for line in path.read_text().splitlines() if not line.lstrip().startswith("#")
    ]
    return [line.strip() for line in " ".join(lines).replace("\\", "").split("\n") for line in split(line)]


def split(line):
    return [
        each
        for each in re.split(r"\s+(?=[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]*\])?==)", f" {line}")
        if each.strip()
    ]


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_every_requirement_is_one_version_with_a_hash(path):
    found = pins(path)
    assert found
    for pin in found:
        assert re.match(r"[A-Za-z0-9._-]+(\[[^\]]*\])?==\S+", pin), pin[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", pin), pin[:80]


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_no_requirement_names_an_index_or_an_address(path):
    text = "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|://", text)


def compose():
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_compose_opens_one_port_on_localhost_only():
    ports = {name: service["ports"] for name, service in compose()["services"].items() if "ports" in service}
    assert set(ports) == {"api"}
    assert all(str(port).startswith("127.0.0.1:") for port in ports["api"])


def test_compose_has_no_default_password():
    text = (ROOT / "docker-compose.yml").read_text()
    for name in PASSWORDS:
        uses = re.findall(r"\$\{" + name + r"([^}]*)\}", text)
        assert uses
        assert all(use.startswith(":?") for use in uses), f"{name} has a default"
    filled = (ROOT / "deployments/example.env").read_text()
    assert all(re.search(rf"^{name}=$", filled, re.M) for name in PASSWORDS)


@pytest.mark.parametrize(
    "power", ["privileged", "cap_add", "network_mode", "pid", "ipc", "security_opt", "user"]
)
def test_no_service_has_more_power_than_its_image(power):
    assert not [name for name, service in compose()["services"].items() if power in service]
    assert "docker.sock" not in (ROOT / "docker-compose.yml").read_text()


def test_images_run_as_a_user_and_install_nothing_without_a_hash():
    lines = (ROOT / "deployments/Dockerfile").read_text().splitlines()
    stages = "\n".join(lines).split("\nFROM ")[1:]
    assert stages
    for stage in stages:
        users = re.findall(r"^USER (\S+)", stage, re.M)
        assert users[-1:] == ["metamapping"]
    installs = [line for line in lines if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line and "--no-deps" in line for line in installs)


def test_no_file_with_secrets_gets_into_an_image():
    patterns = (ROOT / ".dockerignore").read_text().split()
    assert patterns[0] == "*"
    assert not [pattern for pattern in patterns if pattern.startswith("!") and ".env" in pattern]


FOUND = '{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1"}]}], "fixes": []}'
CLEAN = '{"dependencies": [{"name": "a", "version": "1", "vulns": []}], "fixes": []}'
SKIPPED = '{"dependencies": [{"name": "a", "skip_reason": "not found"}], "fixes": []}'


@pytest.mark.parametrize(
    ("output", "errors", "code", "sentence"),
    [
        (CLEAN, "", 0, "run.txt: none of 1 packages has a known vulnerability"),
        (FOUND, "", 1, "a 1: PYSEC-1"),
        (SKIPPED, "", 2, "was audited only in part: the service does not know 1 of 1 packages"),
        (
            "",
            "Traceback\nConnectionError: no route\n",
            2,
            "was not audited, because the vulnerability service .* no route",
        ),
        ("", "", 2, "no reason was given"),
    ],
)
def test_an_incomplete_audit_is_no_success(output, errors, code, sentence):
    assert verdict("run.txt", output, errors)[0] == code
    assert re.search(sentence, verdict("run.txt", output, errors)[1])
