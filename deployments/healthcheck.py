"""Exit code 0 when the API beside it answers and shows the UI: the health check of the container `api`."""

import os

import httpx

user, _, password = os.environ["PREFECT_SERVER_API_AUTH_STRING"].partition(":")
for page in ("/api/ready", "/"):  # The second is Prefect's UI, which it writes out as it starts, or goes without.
    address = f"http://127.0.0.1:4200{page}"
    httpx.get(address, auth=(user, password), timeout=5, follow_redirects=True).raise_for_status()
