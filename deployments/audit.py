"""Audit: whether a vulnerability is known of a pinned version: ``make audit``.

Each file of requirements/ is given to pip-audit with its hashes, so nothing is resolved or installed. The
list of vulnerabilities is PyPI's, or with ``--service osv`` that of osv.dev. Where it cannot be asked, or
does not know a package, the audit has not been made, and says so: pip-audit alone would end well. The exit
code is 0 where nothing is known, 1 where something is, and 2 where not all could be asked.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "requirements"
TIMEOUT_SECONDS = 900


def main() -> int:
    """Audit the files that the command line names; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deployments.audit", description=__doc__)
    parser.add_argument("names", nargs="*", default=["run"], help="files of requirements/, without .txt")
    parser.add_argument("--service", choices=("pypi", "osv"), default="pypi")
    options = parser.parse_args()
    codes = []
    for name in options.names:
        code, sentence = verdict(f"{name}.txt", *ask(FOLDER / f"{name}.txt", options.service))
        print(sentence, file=sys.stderr if code else sys.stdout)
        codes.append(code)
    return max(codes)


def ask(path: Path, service: str) -> tuple[str, str]:
    """What pip-audit says of a file, on standard output and standard error."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip"]
    command += ["--progress-spinner", "off", "--timeout", "10", "--format", "json"]
    command += ["--vulnerability-service", service, "-r", str(path)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        return "", f"no answer within {TIMEOUT_SECONDS} seconds"
    return ended.stdout, ended.stderr


def verdict(name: str, output: str, errors: str) -> tuple[int, str]:
    """The exit code, and a sentence."""
    try:
        packages = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = next((line for line in reversed(errors.splitlines()) if line.strip()), "no reason was given")
        return 2, (
            f"error: {name} was not audited, for the service of vulnerabilities gave no answer "
            f"({last:.200}): run this where it can be reached, or with --service osv"
        )
    skipped = [each["name"] for each in packages if "skip_reason" in each]
    known = [
        f"  {each['name']} {each['version']}: {', '.join(vuln['id'] for vuln in each['vulns'])}"
        for each in packages
        if each.get("vulns")
    ]
    if known:
        return 1, "\n".join([f"{name}: vulnerabilities are known of {len(known)} packages", *known])
    if skipped or not packages:
        return 2, (
            f"error: {name} was not audited to its end: the service does not know {len(skipped)} of "
            f"{len(packages)} packages (such as {', '.join(skipped[:3]) or 'none'}): run this where "
            "PyPI's own service can be reached, or with --service osv"
        )
    return 0, f"{name}: no vulnerability is known of {len(packages)} packages"


if __name__ == "__main__":
    raise SystemExit(main())
