"""A home at an address: folders are atomic and verified, on whichever machine they are read."""

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("s3fs", reason="missing: the extra s3")
pytest.importorskip("moto", reason="missing: moto")

from metamapping.cli import main
from metamapping.errors import ConfigError, StoreError
from metamapping.runs.folder import RunFolder
from metamapping.storage import remote
from metamapping.storage.artifacts import Stage, Store
from metamapping.storage.manifest import MANIFEST
from metamapping.storage.remote import is_remote, local_folder, place_of
from metamapping.storage.remote_place import RemotePlace
from tests.runs.test_comparison import make_run
from tests.runs.test_registry import check_no_promotion_is_lost, promote_all
from tests.s3_server import flip_a_bit, make_bucket, objects, s3_server

STAGE = Stage("tokens", "toys", 1, {"a": 1})
FOLDER = f"data/tokens-toys-{STAGE.fingerprint}"


@pytest.fixture(scope="module", autouse=True)
def server():
    with s3_server() as environment:
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        yield
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function that switches to another machine, whose cache is empty."""

    def go(name):
        monkeypatch.setenv("METAMAPPING_CACHE", str(tmp_path / name))

    go("first")
    return go


@pytest.fixture
def home(machine):
    return f"{make_bucket('bucket')}/team/home"


def write(home, text="whole", stage=STAGE):
    with Store(home).write(stage) as unfinished:
        (unfinished.folder / "inside").mkdir()
        (unfinished.folder / "inside" / "part.txt").write_text(text)
        unfinished.counts.update(rows_out=1)
    return Store(home).find(stage)


def write_two(home):
    with Store(home).write(STAGE) as unfinished:
        (unfinished.folder / "first.txt").write_text("first")
        (unfinished.folder / "second.txt").write_text("second")


def text_of(reference):
    return (reference.fetch() / "inside" / "part.txt").read_text()


def test_files_of_one_machine_are_in_its_cache_and_never_uploaded(home, machine, tmp_path):
    folder = remote.machine_folder(home)
    assert folder.is_relative_to(tmp_path / "first")
    assert not is_remote(folder)
    write(folder)
    assert not objects(home)
    machine("second")
    assert remote.machine_folder(home) != folder
    assert remote.machine_folder(tmp_path / "home") == tmp_path / "home"


def test_a_stage_is_found_and_read_on_another_machine_by_its_address(home, machine):
    reference = write(home)
    assert reference.path == f"{home}/{FOLDER}"
    machine("second")
    assert Store(home).find(STAGE) == reference
    assert not reference.path.startswith(str(local_folder(home)))
    assert text_of(reference) == "whole"


def test_finding_a_stage_fetches_nothing_but_its_manifest(home, machine, tmp_path):
    write(home)
    machine("second")
    assert Store(home).find(STAGE).counts == {"rows_out": 1}
    assert not (tmp_path / "second").exists()


def test_the_manifest_is_uploaded_last(home, monkeypatch):
    import fsspec

    file_system, seen = fsspec.filesystem("s3", use_listings_cache=False), []
    pipe = file_system.pipe_file

    def look_first(path, data, **kwargs):
        seen.append((path, objects(home)))
        pipe(path, data, **kwargs)

    monkeypatch.setattr(file_system, "pipe_file", look_first)
    write(home)
    ((path, before),) = seen
    assert path.endswith(f"{FOLDER}/{MANIFEST}")
    assert [each.rsplit("/", 1)[1].split(".")[0] for each in before] == ["part"]


def test_an_interrupted_upload_leaves_no_visible_folder(home, machine, monkeypatch):
    import s3fs

    put = s3fs.S3FileSystem._put_file

    async def cut(self, local, remote, **kwargs):
        if "second.txt" in local:
            await asyncio.sleep(0.5)  # so that both uploads have started
            raise ConnectionError("cut")
        return await put(self, local, remote, **kwargs)

    with monkeypatch.context() as broken:
        broken.setattr(s3fs.S3FileSystem, "_put_file", cut)
        with pytest.raises(StoreError, match=f"{home}.*ConnectionError: cut"):
            write_two(home)
    assert any("first" in each for each in objects(home))
    assert Store(home).find(STAGE) is None
    assert remote.list_folders(local_folder(home) / "data") == []
    assert text_of(write(home)) == "whole"


def test_the_first_of_two_writers_wins_on_every_machine(home, machine):
    with Store(home).write(STAGE) as slow:
        (slow.folder / "inside").mkdir()
        (slow.folder / "inside" / "part.txt").write_text("slow")
        write(home, "fast")
    reference = Store(home).find(STAGE)
    assert text_of(reference) == "fast"
    machine("second")
    assert text_of(reference) == "fast"


def test_a_writer_that_loses_the_race_for_the_manifest_changes_nothing(home, machine, monkeypatch):
    read, raced = RemotePlace.read, []

    def read_then_lose(place):
        existing = read(place)
        if not raced and place.address.endswith(MANIFEST):
            raced.append(place.address)
            write(home, "other")
        return existing

    with Store(home).write(STAGE) as mine:
        (mine.folder / "inside").mkdir()
        (mine.folder / "inside" / "part.txt").write_text("mine")
        monkeypatch.setattr(RemotePlace, "read", read_then_lose)
    assert raced
    assert text_of(Store(home).find(STAGE)) == "other"


@pytest.mark.parametrize("name", ["inside/part", MANIFEST])
def test_a_flipped_bit_is_detected_and_its_object_named(home, machine, name):
    reference = write(home)
    (flipped,) = [each for each in objects(home) if f"{FOLDER}/{name}" in each]
    flip_a_bit(f"{home}/{flipped}")
    machine("second")
    with pytest.raises(StoreError, match=flipped):
        text_of(reference)
    assert not (local_folder(home) / FOLDER).exists()


def test_an_error_names_the_missing_object(home, machine):
    import fsspec

    reference = write(home)
    (part,) = [each for each in objects(home) if "part" in each]
    fsspec.filesystem("s3").rm(f"{home}/{part}")
    machine("second")
    with pytest.raises(StoreError, match=f"{part} is missing"):
        text_of(reference)


def test_a_copy_in_the_cache_is_replaced_when_the_address_has_another(home, machine):
    reference = write(home, "old")
    remote.remove_folder(local_folder(reference.path))
    machine("second")
    write(home, "new")
    machine("first")
    assert text_of(reference) == "new"


def test_what_was_removed_at_the_address_exists_on_no_machine(home, machine):
    reference = write(home)
    machine("second")
    remote.remove_folder(local_folder(reference.path))
    machine("first")
    assert Store(home).find(STAGE) is None
    with pytest.raises(StoreError, match="does not exist any more"):
        text_of(reference)


def test_results_of_a_run_are_read_on_another_machine(home, machine):
    RunFolder(home, "toy-1").write_result("validation-0", {"cells": [1.5]})
    machine("second")
    run = RunFolder(home, "toy-1")
    assert run.place == f"{home}/runs/toy-1"
    assert run.read_result("validation-0") == {"cells": [1.5]}
    assert run.read_result("validation-1") is None


def test_a_flipped_bit_in_a_result_is_detected_and_named(home, machine):
    run = RunFolder(home, "toy-1")
    run.write_result("validation-0", {"cells": [1.5, 2.5, 3.5, 4.5]})
    flip_a_bit(f"{run.place}/validation-0.json")
    with pytest.raises(StoreError, match=f"{run.place}/validation-0.json is damaged"):
        run.read_result("validation-0")


def test_a_member_is_read_without_downloading_the_folder(home, machine, tmp_path):
    reference = write(home)
    machine("second")
    folder = local_folder(reference.path)
    assert remote.read_member(folder, "inside/part.txt") == b"whole"
    assert remote.read_member(folder, "nothing.txt") is None
    assert not folder.exists()
    (part,) = [each for each in objects(home) if "part" in each]
    flip_a_bit(f"{home}/{part}")
    with pytest.raises(StoreError, match=part):
        remote.read_member(folder, "inside/part.txt")


def test_runs_at_an_address_are_compared_and_inspected(home, machine, tmp_path, capsys):
    make_run(tmp_path, "plain", home=home)
    better = make_run(tmp_path, "better", home=home, gain=0.02).place
    machine("second")
    for command in (["compare", "plain", better, "--home", home], ["inspect", better]):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 0
    output = capsys.readouterr().out
    assert "better is clearly better" in output
    assert better in output


def test_a_published_folder_is_read_from_an_address_and_verified(home, machine, published):
    import fsspec

    from metamapping import MetaMapper

    place = f"{home}/encoder"
    fsspec.filesystem("s3").put(str(published), place, recursive=True)
    texts, labels = ["where is my parcel", "i want my money back"], ["delivery", "refund"]
    local = MetaMapper.from_pretrained(published).adapt(texts, labels)
    assert (
        MetaMapper.from_pretrained(place).adapt(texts, labels).predict_proba(texts)
        == local.predict_proba(texts)
    ).all()
    machine("second")
    flip_a_bit(f"{place}/model.safetensors")
    with pytest.raises(StoreError, match=f"{place}/model.safetensors"):
        MetaMapper.from_pretrained(place)


def test_published_folders_keep_their_plain_names(home):
    write(home, stage=Stage("published", "toys", 1, {}))
    assert [each.rsplit("/", 2)[1:] for each in objects(home) if "part" in each] == [["inside", "part.txt"]]


def test_a_missing_bucket_is_refused_before_anything_runs(home):
    with pytest.raises(StoreError, match=r"s3://no-such-bucket/home.*bucket"):
        remote.check_writable("s3://no-such-bucket/home")
    remote.check_writable(home)
    assert objects(home) == []


def test_a_protocol_without_its_package_is_refused_with_what_to_install():
    with pytest.raises(ConfigError, match="gs://… need another package"):
        remote.check_writable("gs://bucket/home")
    with pytest.raises(ConfigError, match="no storage of the protocol 'nosuch'"):
        remote.check_writable("nosuch://bucket/home")


def test_an_address_cannot_chain_to_another_storage(tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    with pytest.raises(ConfigError, match="chains several storages"):
        remote.read_file(local_folder(f"simplecache://inside::file:{tmp_path}/secret.txt"))


def test_credentials_are_never_written(home, machine):
    import fsspec

    write(home)
    RunFolder(home, "toy-1").write_result("run", {"config": {"home": home}})
    for each in objects(home):
        assert b"testing" not in fsspec.filesystem("s3").cat_file(f"{home}/{each}")


def test_a_local_path_is_its_own_place(tmp_path):
    assert local_folder(tmp_path) == tmp_path
    assert local_folder(f"file://{tmp_path}") == tmp_path
    assert place_of(tmp_path / "data") == str(tmp_path / "data")
    assert not is_remote(tmp_path / "data")
    assert is_remote(local_folder("s3://bucket/home"))


def test_memory_is_an_address_too(machine):
    reference = write("memory://toys")
    machine("second")
    assert json.loads((reference.fetch() / MANIFEST).read_text())["name"] == "toys"


def test_of_two_who_create_a_file_the_first_one_wins(home):
    path = local_folder(home) / "registry" / "00000001.json"
    assert remote.create_file(path, b"first")
    assert not remote.create_file(path, b"second")
    assert remote.read_file(path) == b"first"
    assert remote.list_files(path.parent) == ["00000001.json"]
    assert remote.list_files(path.parent / "nothing") == []


def test_two_promote_at_once_and_no_promotion_is_lost(home):
    def run(home, names):
        with ThreadPoolExecutor(len(names)) as threads:
            list(threads.map(lambda name: promote_all(home, name), names))

    check_no_promotion_is_lost(home, run)
