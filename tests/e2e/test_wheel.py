"""The first hour from the wheel: installed into an empty environment, used in an empty folder.

The environment finds the dependencies of this one, but not the repository. A run that `metamapping train`
began is finished by the flow of the repository, and `train` finds it finished.
"""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import venv

import pytest
import yaml

from tests.e2e.command import CONFIG, ROOT, finish, published, start
from tests.e2e.test_kill import wait_for_steps_after

pytestmark = pytest.mark.slow

TIMEOUT_SECONDS = 900
FILES = {"bank.csv": "bank.csv", "library.csv": "library.csv", "shop.csv": "online-shop.csv"}


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """The folder with the commands of an environment into which the wheel was installed."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    shutil.copytree(
        ROOT / "metamapping", source / "metamapping", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        str(folder),
        str(source),
    ]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = folder.glob("*.whl")
    shutil.rmtree(source)
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    (packages,) = environment.glob("lib/python*/site-packages")
    # The .pth files of the other folder, and so its editable install, are not read.
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    install = ["install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*pip, "--python", str(environment / "bin" / "python"), *install], check=True)
    return environment / "bin"


def environment_of(scripts):
    unset = ("PYTHONPATH", "PREFECT_API_URL")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return {**kept, "PATH": f"{scripts}{os.pathsep}{kept['PATH']}", "COLUMNS": "120"}


def run(scripts, folder, *arguments, text=None):
    """Run `metamapping` in a folder, and return its standard output."""
    process = subprocess.run(
        [scripts / "metamapping", *map(str, arguments)],
        cwd=folder,
        env=environment_of(scripts),
        input=text,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_files_become_a_tuned_encoder_and_predictions_in_an_empty_folder(scripts, tmp_path):
    for name, sample in FILES.items():
        shutil.copy(ROOT / "samples" / sample, tmp_path / name)
    where = "import metamapping; print(metamapping.__file__)"
    found = subprocess.run(
        [scripts / "python", "-c", where],
        cwd=tmp_path,
        env=environment_of(scripts),
        capture_output=True,
        text=True,
    )
    assert str(scripts.parent) in found.stdout

    run(scripts, tmp_path, "init", *FILES, "--encoder", "scratch")
    config = yaml.safe_load((tmp_path / "metamapping.yaml").read_text(encoding="utf-8"))
    assert [source["role"] for source in config["sources"]] == ["train", "validation", "test"]
    tiny = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    small = {name: tiny[name] for name in ("encoder", "episodes", "training", "evaluation", "convergence")}
    (tmp_path / "metamapping.yaml").write_text(yaml.safe_dump(config | small))

    checked = run(scripts, tmp_path, "check", "metamapping.yaml")
    assert "up to 1 round of 24 meta-steps" in checked
    assert "Time on this machine: " in checked
    assert [each.name for each in (tmp_path / ".metamapping").iterdir()] == ["data"]

    trained = run(scripts, tmp_path, "train", "metamapping.yaml")
    assert "Published: " in trained
    folder = published(tmp_path / ".metamapping")
    run_id = folder.parent.name
    assert run_id in run(scripts, tmp_path, "runs")
    assert "test source" in run(scripts, tmp_path, "report", run_id[:5])
    page = (folder.parent / "report.html").read_text(encoding="utf-8")
    assert f"Report: {folder.parent.relative_to(tmp_path)}/report.html" in trained.replace(f"{tmp_path}/", "")
    assert all(heading in page for heading in ("Test sources", "Where it fails", "Rows that were left out"))
    assert "Not recorded" not in page
    assert "closed form" in run(scripts, tmp_path, "baseline", "metamapping.yaml")

    with (tmp_path / "bank.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["text"].strip() and row["intent"]]
    lines = "".join(json.dumps(row) + "\n" for row in rows[:40])
    (tmp_path / "examples.jsonl").write_text(lines)
    run(scripts, tmp_path, "adapt", folder, "examples.jsonl", "--label", "intent", "--out", "tasks/bank")
    run(scripts, tmp_path, "report", "tasks/bank", "--html", "bank.html")
    assert "The worst examples" in (tmp_path / "bank.html").read_text(encoding="utf-8")
    texts = [row["text"] for row in rows[40:45]]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    predicted = run(scripts, tmp_path, "predict", "tasks/bank", text=lines).splitlines()
    labels = set(json.loads((tmp_path / "tasks/bank/task.json").read_text())["labels"])
    assert len(predicted) == len(texts)
    assert {json.loads(line)["prediction"] for line in predicted} <= labels


def test_a_run_that_the_command_began_is_finished_by_the_flow(scripts, tmp_path):
    home = tmp_path / "home"
    command = [scripts / "metamapping", "train", CONFIG, "--home", home]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(
        list(map(str, command)), cwd=tmp_path, env=environment_of(scripts), start_new_session=True, **pipes
    )
    wait_for_steps_after(0, home, process)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 130, output
    assert "the same command resumes from there" in output
    begun = time.time()
    finish(start(home))
    folder = published(home)
    assert folder.stat().st_mtime > begun
    assert len(list((home / "runs").iterdir())) == 1
    again = run(scripts, tmp_path, "train", CONFIG, "--home", home)
    assert "The run was finished already; no work was repeated." in again
