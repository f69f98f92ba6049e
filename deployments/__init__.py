"""Deployments: the server, its workers, and what is registered there."""
