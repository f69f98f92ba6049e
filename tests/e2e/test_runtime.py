"""A published folder is used in a process that has none of the packages of training."""

import subprocess
import sys

import pytest

from metamapping.errors import TRAIN_PACKAGES
from tests.previous_format import without_graph


@pytest.fixture
def old(published, tmp_path):
    return without_graph(published, tmp_path / "old")


@pytest.mark.slow
def test_everything_that_uses_an_encoder_works_without_the_packages_of_training(published, old, tmp_path):
    arguments = [str(published), str(old), str(tmp_path)]
    program = [sys.executable, "-m", "tests.e2e.without_training", *arguments]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_loading_and_predicting_imports_none_of_them(published):
    code = (
        "import sys\n"
        "from metamapping import MetaMapper\n"
        f"mapper = MetaMapper.from_pretrained({str(published)!r})\n"
        "mapping = mapper.adapt(['my parcel', 'my money'], ['delivery', 'refund'])\n"
        "assert mapping.predict(['my parcel']) == ['delivery']\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {*TRAIN_PACKAGES, "prefect", "torch", "sklearn", "huggingface_hub"}
    assert heavy.isdisjoint(done.stdout.split()), heavy & set(done.stdout.split())


def test_predicting_with_a_saved_task_imports_only_what_it_needs(published, tmp_path):
    folder = str(tmp_path / "task")
    adapt = (
        "from metamapping import MetaMapper\n"
        f"mapper = MetaMapper.from_pretrained({str(published)!r})\n"
        f"mapper.adapt(['my parcel', 'my money'], ['delivery', 'refund']).save({folder!r})\n"
    )
    predict = (
        "import sys\n"
        "from metamapping.cli import app\n"
        f"app(['predict', {folder!r}], standalone_mode=False)\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )
    subprocess.run([sys.executable, "-c", adapt], check=True)
    done = subprocess.run(
        [sys.executable, "-c", predict],
        input='{"text": "my parcel"}\n',
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"delivery"' in done.stdout
    heavy = {*TRAIN_PACKAGES, "scipy", "ftfy", "huggingface_hub", "httpx2", "fastapi"}
    assert heavy.isdisjoint(done.stderr.split()), heavy & set(done.stderr.split())


def test_the_extra_train_has_the_packages_that_the_library_names():
    import tomllib
    from pathlib import Path

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]

    def names(requirements):
        installed = {each.split(">")[0].split("[")[0].replace("-", "_") for each in requirements}
        return {"sklearn" if name == "scikit_learn" else name for name in installed}

    assert names(project["optional-dependencies"]["train"]) == TRAIN_PACKAGES
    assert names(project["dependencies"]).isdisjoint(TRAIN_PACKAGES)
