"""Tracking: whether a run is shown on an MLflow server, too.

TrackingSpec(uri="http://mlflow.internal:5000", experiment="support")
"""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from metamapping.config.part import Part


class TrackingSpec(Part):
    """Whether a run is shown on an MLflow server, too, and where there."""

    uri: str | None = Field(
        None,
        description="Address of an MLflow server, such as `http://127.0.0.1:5000`. Default: the environment "
        "variable MLFLOW_TRACKING_URI; without both, nothing is sent anywhere.",
    )
    experiment: str | None = Field(
        None, min_length=1, description="Name of the experiment on the server. Default: the name of the run."
    )
    model: str | None = Field(
        None,
        min_length=1,
        pattern=r"^[^/:]+$",
        description="Name of the registered model on the server. Default: the name of the run.",
    )

    @field_validator("uri")
    @classmethod
    def _check_uri(cls, uri: str | None) -> str | None:
        return None if uri is None else check_server(uri)


def check_server(uri: str) -> str:
    """Check the address of an MLflow server.

    Args:
        uri: The address.

    Returns:
        The same address without a slash at its end.

    Raises:
        ValueError: It is no address of a server, or carries credentials, which the message does not repeat.
    """
    parts = urlsplit(uri)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "the address of the MLflow server holds credentials or options (`@`, `?`, `#`): give the bare "
            "address, and the credentials in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD or in "
            "MLFLOW_TRACKING_TOKEN"
        )
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(
            f"{uri!r:.120} is not the address of an MLflow server: expected one such as "
            "http://127.0.0.1:5000 (folders and databases need a server in front: `mlflow server`)"
        )
    return uri.rstrip("/")
