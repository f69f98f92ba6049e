"""Tasks: Prefect's policy (retries, tags, names, artifacts) around one library call each."""
