"""Exit code 0 when the API beside it answers and shows the UI: the health check of the container `api`.

Run as `python deployments/healthcheck.py [http://127.0.0.1:4200]`.
"""

import os
import sys

import httpx

server = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:4200"
user, _, password = os.environ["PREFECT_SERVER_API_AUTH_STRING"].partition(":")
# The second is Prefect's UI, which the server writes out as it starts; where it cannot, it goes on without.
for path in ("/api/ready", "/"):
    answer = httpx.get(server + path, auth=(user, password), timeout=5, follow_redirects=True)
    if not answer.is_success:
        sys.exit(f"{path} answers {answer.status_code}: expected 200; the server's log says why")
