"""A published folder goes to a hub whole; refusals come back as one sentence.

The hub is a small server on this machine that answers as the public one's interface is described,
and keeps what it is sent.
"""

import base64
import hashlib
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import constants

from metamapping.errors import StoreError
from metamapping.publishing.hub import PushError, push
from metamapping.publishing.published_model import read_published

TOKEN = "hf_of_the_stand_in"
OID = "0" * 40


class Hub(BaseHTTPRequestHandler):
    """Repositories, branches, uploads of large files, and commits."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        state = self.server.state
        state.requests.append(self.path)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"error": "Invalid credentials in Authorization header"})
        elif state.refusal is not None:
            self._answer(*state.refusal)
        elif self.path == "/api/repos/create":
            asked = json.loads(body)
            state.repository = f"{asked['organization']}/{asked['name']}", asked.get("visibility", "public")
            self._answer(200, {"url": self._address(f"/{state.repository[0]}")})
        elif "/branch/" in self.path:
            state.branches.append(self.path.rpartition("/")[2])
            self._answer(200, {})
        elif self.path == "/api/validate-yaml":
            self._answer(200, {"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            files = [
                {"path": each["path"], "uploadMode": _mode(each["path"]), "shouldIgnore": False}
                for each in json.loads(body)["files"]
            ]
            self._answer(200, {"files": files})
        elif self.path.endswith("/info/lfs/objects/batch"):
            objects = [
                {**each, "actions": {"upload": {"href": self._address(f"/put/{each['oid']}"), "header": {}}}}
                for each in json.loads(body)["objects"]
            ]
            self._answer(200, {"transfer": "basic", "objects": objects})
        elif "/commit/" in self.path:
            state.commit(self.path.rpartition("/")[2], body)
            self._answer(200, {"commitUrl": self._address(f"/team/encoder/commit/{OID}"), "commitOid": OID})
        else:
            self._answer(404, {"error": f"no {self.path}"})

    def do_PUT(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.state.large[hashlib.sha256(data).hexdigest()] = data
        self._answer(200, {})

    def do_GET(self):
        self._answer(200, {"id": "team/encoder", "siblings": []})

    def do_HEAD(self):
        self._answer(404, {})

    def log_message(self, *arguments):
        pass

    def _address(self, path):
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def _answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _mode(path):
    return "lfs" if path.endswith((".safetensors", ".png")) else "regular"


class State:
    """What the stand-in was sent."""

    def __init__(self):
        self.requests, self.branches, self.large, self.files = [], [], {}, {}
        self.refusal = self.repository = self.branch = None

    def commit(self, branch, body):
        self.branch = branch
        for line in body.decode().splitlines():
            entry = json.loads(line)
            value = SimpleNamespace(**entry["value"])
            if entry["key"] == "file":
                self.files[value.path] = base64.b64decode(value.content)
            elif entry["key"] == "lfsFile":
                self.files[value.path] = self.large[value.oid]


@pytest.fixture
def hub(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.state = State()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    _use_hub(monkeypatch, f"http://127.0.0.1:{server.server_port}")
    yield server.state
    server.shutdown()
    server.server_close()


def _use_hub(monkeypatch, endpoint):
    """What HF_ENDPOINT, HF_TOKEN and HF_HUB_DISABLE_XET say, which the client reads at its import."""
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(huggingface_hub.hf_api.constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # its own protocol, to its own server
    monkeypatch.setenv("HF_TOKEN", TOKEN)


def test_every_file_arrives_and_is_read_back_from_there(published, hub, tmp_path):
    address = push(published, "team/encoder")
    assert address.endswith(f"/team/encoder/commit/{OID}")
    for name, data in hub.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    sent, here = (
        {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path, published)
    )
    assert sent == here
    assert hub.branch == "main"
    assert read_published(tmp_path).max_length_tokens == 16


def test_the_repository_is_as_private_as_asked_for(published, hub):
    push(published, "team/encoder", private=True)
    assert hub.repository == ("team/encoder", "private")


def test_a_revision_is_a_branch_of_its_own(published, hub):
    push(published, "team/encoder", revision="candidate")
    assert hub.branches == ["candidate"]
    assert hub.branch == "candidate"


def test_files_that_were_not_published_stay_here(published, hub, tmp_path):
    folder = shutil.copytree(published, tmp_path / "copy")
    (folder / "notes.txt").write_text("mine")
    push(folder, "team/encoder")
    assert "notes.txt" not in hub.files


def test_a_token_that_the_hub_does_not_know_is_said_so(published, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")
    message = r"not pushed to team/encoder: the hub does not know the token.*Invalid credentials"
    with pytest.raises(PushError, match=message):
        push(published, "team/encoder")
    assert not hub.files


def test_a_token_that_may_not_write_is_said_so(published, hub):
    hub.refusal = (403, {"error": "You don't have the rights"})
    with pytest.raises(PushError, match=r"give one with write access.*You don't have the rights"):
        push(published, "team/encoder")


def test_without_a_token_nothing_is_asked_of_the_hub(published, hub, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(PushError, match="no token of the hub; set HF_TOKEN"):
        push(published, "team/encoder")
    assert not hub.requests


def test_a_hub_that_does_not_answer_is_named(published, monkeypatch):
    _use_hub(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(PushError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        push(published, "team/encoder")


def test_a_damaged_folder_is_not_pushed(published, hub, tmp_path):
    folder = shutil.copytree(published, tmp_path / "copy")
    (folder / "README.md").write_text("changed")
    with pytest.raises(StoreError, match=r"README\.md is missing or not as it was written"):
        push(folder, "team/encoder")
    assert not hub.requests


@pytest.mark.parametrize("name", ["a/b/c", "../encoder", "team/with space"])
def test_a_name_that_no_repository_can_have_is_refused(published, hub, name):
    with pytest.raises(ValueError, match="epo"):
        push(published, name)
    assert not hub.files
