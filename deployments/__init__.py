"""Deployments: the Prefect server, its workers, and what is registered on the server."""
