"""Tasks: Prefect's policy (retries, tags, names, artifacts) around one call into the library each."""
