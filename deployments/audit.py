"""Check the pinned versions for known vulnerabilities: ``make audit``.

In: names of files in requirements/. Out: one line per file, and the exit code: 0 without known
vulnerabilities, 1 with some, 2 if the check is incomplete. pip-audit receives each file with its hashes, so
nothing is resolved or installed. The vulnerabilities come from PyPI, or with ``--service osv`` from
osv.dev. A service that cannot be reached or does not know a package makes the check incomplete;
pip-audit alone would report success then.
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
    """Audit the files that the command line names, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deployments.audit", description=__doc__)
    parser.add_argument("names", nargs="*", default=["run"], help="files of requirements/, without .txt")
    parser.add_argument("--service", choices=("pypi", "osv"), default="pypi")
    options = parser.parse_args()
    codes = []
    for name in options.names:
        code, sentence = verdict(f"{name}.txt", *run_pip_audit(FOLDER / f"{name}.txt", options.service))
        print(sentence, file=sys.stderr if code else sys.stdout)
        codes.append(code)
    return max(codes)


def run_pip_audit(path: Path, service: str) -> tuple[str, str]:
    """Run pip-audit on a requirements file.

    Args:
        path: A requirements file with hashes.
        service: ``pypi`` or ``osv``.

    Returns:
        Standard output, which is JSON if the service answered, and standard error.
    """
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip"]
    command += ["--progress-spinner", "off", "--timeout", "10", "--format", "json"]
    command += ["--vulnerability-service", service, "-r", str(path)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        return "", f"no answer within {TIMEOUT_SECONDS} seconds"
    return ended.stdout, ended.stderr


def verdict(name: str, output: str, errors: str) -> tuple[int, str]:
    """Judge the output of pip-audit.

    Args:
        name: Name of the audited file.
        output: pip-audit's standard output.
        errors: pip-audit's standard error.

    Returns:
        The exit code, and what to print.
    """
    try:
        packages = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = next((line for line in reversed(errors.splitlines()) if line.strip()), "no reason was given")
        return 2, (
            f"error: {name} was not audited, because the vulnerability service did not answer "
            f"({last:.200}): run this where it can be reached, or with --service osv"
        )
    unknown = [each["name"] for each in packages if "skip_reason" in each]
    vulnerable = [
        f"  {each['name']} {each['version']}: {', '.join(vuln['id'] for vuln in each['vulns'])}"
        for each in packages
        if each.get("vulns")
    ]
    if vulnerable:
        return 1, "\n".join([f"{name}: {len(vulnerable)} packages have known vulnerabilities", *vulnerable])
    if unknown or not packages:
        return 2, (
            f"error: {name} was audited only in part: the service does not know {len(unknown)} of "
            f"{len(packages)} packages (such as {', '.join(unknown[:3]) or 'none'}): run this where "
            "PyPI's own service can be reached, or with --service osv"
        )
    return 0, f"{name}: none of {len(packages)} packages has a known vulnerability"


if __name__ == "__main__":
    raise SystemExit(main())
