"""A process on a machine of its own that works on a run at an address.

METAMAPPING_CACHE=own-folder python -m tests.storage.lease_process HOME RUN WORK LEASE_SECONDS

WORK is a number: how often to increase the number in ``counter.json`` by reading and writing it; or `once`:
print `held`, wait for a line, write ``result.json``, print `written`.
"""

import json
import logging
import sys
import time

from metamapping.errors import StoreError
from metamapping.runs.folder import RunFolder
from metamapping.runs.lock import locked
from metamapping.storage import leases, remote


def main(home: str, run_id: str, work: str, lease_seconds: str) -> None:
    leases.LEASE_SECONDS = float(lease_seconds)
    leases.RENEW_SECONDS, leases.POLL_SECONDS = leases.LEASE_SECONDS / 4, 0.02
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    run = RunFolder(home, run_id)
    if work == "once":
        write_once(run)
    else:
        for _ in range(int(work)):
            count(run)


def count(run: RunFolder) -> None:
    with locked(run), locked(run):  # a stage calls stages
        path = run.path / "counter.json"
        number = json.loads(remote.read_file(path) or b"0")
        time.sleep(0.05)
        remote.write_file(path, json.dumps(number + 1).encode())


def write_once(run: RunFolder) -> None:
    with locked(run):
        print("held", flush=True)
        sys.stdin.readline()
        try:
            remote.write_file(run.path / "result.json", b"{}")
        except StoreError as error:
            print(error, flush=True)
            return
    print("written", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
