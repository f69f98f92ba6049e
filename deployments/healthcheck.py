"""Health check of the container `api`: exit code 0 if the API answers and serves the UI.

Run as `python deployments/healthcheck.py [http://127.0.0.1:4200]`.
"""

import os
import sys

import httpx

server = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:4200"
user, _, password = os.environ["PREFECT_SERVER_API_AUTH_STRING"].partition(":")
# "/" is the UI. The server writes its files at start, and keeps running without a UI if it cannot.
for path in ("/api/ready", "/"):
    answer = httpx.get(server + path, auth=(user, password), timeout=5, follow_redirects=True)
    if not answer.is_success:
        sys.exit(f"{path} answers {answer.status_code}: expected 200; see the server's log")
