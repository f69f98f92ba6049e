"""Hub: a published folder is uploaded completely, and errors of the hub become one sentence.

The hub is a small local server that implements the endpoints of the public hub that an upload uses, and
keeps what it receives.
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

TOKEN = "hf_of_the_fake_hub"
COMMIT = "0" * 40


class Hub(BaseHTTPRequestHandler):
    """Repositories, branches, uploads of large files, and commits."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        state = self.server.state
        state.requests.append(self.path)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"error": "Invalid credentials in Authorization header"})
        elif state.error is not None:
            self._answer(*state.error)
        elif self.path == "/api/repos/create":
            request = json.loads(body)
            state.repository = (
                f"{request['organization']}/{request['name']}",
                request.get("visibility", "public"),
            )
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
            self._answer(
                200, {"commitUrl": self._address(f"/team/encoder/commit/{COMMIT}"), "commitOid": COMMIT}
            )
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
    """What the fake hub has received, and the error that it answers with."""

    def __init__(self):
        self.requests, self.branches, self.large, self.files = [], [], {}, {}
        self.error = self.repository = self.branch = None

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
    """Set HF_ENDPOINT, HF_TOKEN and HF_HUB_DISABLE_XET, which the client reads when it is imported."""
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(huggingface_hub.hf_api.constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # Xet uses another protocol and server
    monkeypatch.setenv("HF_TOKEN", TOKEN)


def test_every_file_is_uploaded_and_can_be_read_back(published, hub, tmp_path):
    address = push(published, "team/encoder")
    assert address.endswith(f"/team/encoder/commit/{COMMIT}")
    for name, data in hub.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    uploaded, local = (
        {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path, published)
    )
    assert uploaded == local
    assert hub.branch == "main"
    assert read_published(tmp_path).max_length_tokens == 16


def test_a_new_repository_can_be_private(published, hub):
    push(published, "team/encoder", private=True)
    assert hub.repository == ("team/encoder", "private")


def test_a_revision_is_pushed_to_its_own_branch(published, hub):
    push(published, "team/encoder", revision="candidate")
    assert hub.branches == ["candidate"]
    assert hub.branch == "candidate"


def test_files_that_were_not_published_are_not_uploaded(published, hub, tmp_path):
    folder = shutil.copytree(published, tmp_path / "copy")
    (folder / "notes.txt").write_text("private")
    push(folder, "team/encoder")
    assert "notes.txt" not in hub.files


def test_an_unknown_token_is_reported(published, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")
    message = r"not pushed to team/encoder: the hub does not know the token.*Invalid credentials"
    with pytest.raises(PushError, match=message):
        push(published, "team/encoder")
    assert not hub.files


def test_a_token_without_write_access_is_reported(published, hub):
    hub.error = (403, {"error": "You don't have the rights"})
    with pytest.raises(PushError, match=r"the token has no write access.*You don't have the rights"):
        push(published, "team/encoder")


def test_without_a_token_no_request_is_sent(published, hub, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(PushError, match="no token for the hub; set HF_TOKEN"):
        push(published, "team/encoder")
    assert not hub.requests


def test_an_unreachable_hub_is_named(published, monkeypatch):
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
def test_an_invalid_repository_name_is_rejected(published, hub, name):
    with pytest.raises(ValueError, match="epo"):
        push(published, name)
    assert not hub.files
