"""Published folders of every earlier format: read as they are, or migrated, with the features of then."""

import numpy as np
import pytest

from metamapping import MetaMapper
from metamapping.errors import StoreError
from metamapping.publishing.layout import FORMAT_VERSION, check_published, format_version_of, read_settings
from tests.cli.command import run_cli
from tests.formats.old import NEW_TEXTS, ONE_VIEW, THREE_VIEWS, copy_of, expected

# Graph and Keras round differently; earlier code ran on Keras.
CLOSE = {"rtol": 0, "atol": 2e-5}


def test_there_is_a_folder_of_every_format(tmp_path):
    names = [*ONE_VIEW, *THREE_VIEWS]
    versions = [format_version_of(copy_of(name, tmp_path) / "published") for name in names]
    assert sorted(set(versions)) == list(range(1, FORMAT_VERSION + 1))


@pytest.mark.parametrize("name", THREE_VIEWS)
def test_formats_with_the_views_of_now_are_read_as_they_are(name, tmp_path):
    mapper = MetaMapper.from_pretrained(copy_of(name, tmp_path) / "published")
    of_then = expected(name)
    np.testing.assert_allclose(mapper.featurizer.texts(NEW_TEXTS), of_then["features"], **CLOSE)
    # Tasks name their encoder by this.
    assert mapper.featurizer.fingerprint == of_then["fingerprint"]
    zero_shot = mapper.zero_shot(["delivery", "refund"])
    np.testing.assert_allclose(zero_shot.predict_proba(NEW_TEXTS), of_then["zero_shot"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ONE_VIEW)
def test_earlier_formats_are_refused_with_the_command_that_migrates_them(name, tmp_path):
    folder = copy_of(name, tmp_path) / "published"
    with pytest.raises(StoreError, match=rf"has format version \d.*run `metamapping migrate {folder}`"):
        check_published(folder)


@pytest.mark.parametrize("name", ONE_VIEW)
def test_earlier_formats_are_migrated_with_their_features(name, tmp_path, capsys):
    folder = copy_of(name, tmp_path) / "published"
    version = format_version_of(folder)
    assert run_cli("migrate", folder) == 0
    assert f"format {version} had no" in capsys.readouterr().err
    check_published(folder)
    mapper = MetaMapper.from_pretrained(folder, backend="runtime")
    of_then, dim = expected(name), mapper.featurizer.dim
    np.testing.assert_allclose(mapper.featurizer.texts(NEW_TEXTS)[:, :dim], of_then["features"], **CLOSE)
    np.testing.assert_allclose(mapper.featurizer.names(["delivery"]), of_then["names"], **CLOSE)
    # Without examples only what was learned then is used: prior, label map and τ.
    zero_shot = mapper.zero_shot(["delivery", "refund"])
    np.testing.assert_allclose(zero_shot.predict_proba(NEW_TEXTS), of_then["zero_shot"], rtol=0, atol=1e-4)
    kept = folder.with_name(f"published-format-{version}")
    assert format_version_of(kept) == version


def test_a_folder_of_format_4_gets_its_graph_and_keeps_its_fingerprint(tmp_path, capsys):
    name = "published-4-task-3"
    folder = copy_of(name, tmp_path) / "published"
    out = tmp_path / "new"
    assert run_cli("migrate", folder, "--out", out) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert read_settings(out).fingerprint == expected(name)["fingerprint"]
    assert (out / "model.onnx").is_file()
    assert format_version_of(folder) == 4


def test_a_folder_of_the_current_format_is_left_alone(tmp_path, capsys):
    folder = copy_of("published-5-task-4", tmp_path) / "published"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert run_cli("migrate", folder) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_folder_that_a_link_leads_to_is_migrated(tmp_path, capsys):
    folder = copy_of("published-4-task-3", tmp_path) / "published"
    link = tmp_path / "current"
    link.symlink_to(folder)
    assert run_cli("migrate", link) == 0
    assert capsys.readouterr().out.strip() == str(folder)
    assert (link.is_symlink(), format_version_of(link), format_version_of(folder)) == (True, 5, 5)
    assert format_version_of(folder.with_name("published-format-4")) == 4


def test_nothing_is_written_into_the_folder_that_is_migrated(tmp_path, capsys):
    folder = copy_of("published-4-task-3", tmp_path) / "published"
    assert run_cli("migrate", folder, "--out", folder / "new") == 2
    assert "is within the folder that is migrated" in capsys.readouterr().err
    assert not (folder / "new").exists()


def test_a_damaged_old_folder_is_not_migrated(tmp_path, capsys):
    folder = copy_of("published-2", tmp_path) / "published"
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    assert run_cli("migrate", folder) == 2
    assert "model.safetensors is missing or not as it was written" in capsys.readouterr().err
    assert format_version_of(folder) == 2
