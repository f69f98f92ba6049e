"""Exit code 0 when the API beside it answers: the health check of the container `api`."""

import os

import httpx

user, _, password = os.environ["PREFECT_SERVER_API_AUTH_STRING"].partition(":")
httpx.get("http://127.0.0.1:4200/api/ready", auth=(user, password), timeout=5).raise_for_status()
