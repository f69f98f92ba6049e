"""The defaults that the package `flows` sets for environment variables are set before Prefect reads them."""

import subprocess
import sys


def test_importing_the_package_does_not_import_prefect():
    program = "import flows, sys; print('prefect' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
