"""Report a corpus: what came in, what came out, and what was rejected for which reasons."""

from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from metamapping.corpus import stages as library
from metamapping.corpus.report import read_source_table
from metamapping.corpus.report_tables import Prepared
from metamapping.runs.corpus_changes import changes_since_last_run
from metamapping.storage.artifacts import Reference, Store
from tasks.artifacts import artifact_key, create_picture

SHOWN = ("source", "role", "rows in", "rows out", "labels", "truncated")  # as many columns as fit on a page


@task(task_run_name="report corpus", cache_policy=NO_CACHE, persist_result=False)
def report_corpus(home: str, name: str, prepared: list[Prepared], leaks: Reference) -> Reference:
    """Write the report of a corpus, and create artifacts of it for this flow run.

    The artifact and the log say what has changed since the last run; the report itself depends on the corpus
    alone.

    Args:
        home: Folder or address of the store.
        name: Name of the run's configuration.
        prepared: All sources with their finished stages.
        leaks: The leaks of the corpus.

    Returns:
        The report.
    """
    report = library.report_corpus(Store(home), prepared, leaks)
    folder = report.fetch()
    rows = {each.source.name: each.screened.counts["rows_out"] for each in prepared}
    changes = changes_since_last_run(home, name, rows, report)
    for sentence in changes:
        get_run_logger().warning("%s", sentence)
    create_table_artifact(
        key=artifact_key("corpus-sources", name),
        table=[{column: row[column] for column in SHOWN} for row in read_source_table(folder)],
        description=f"Rows of each source of {name}",
    )
    warning = "".join(f"**Changed:** {sentence}.\n\n" for sentence in changes)
    create_markdown_artifact(
        key=artifact_key("corpus-report", name),
        markdown=warning + (folder / "report.md").read_text(encoding="utf-8"),
        description=f"The corpus of {name}: what came in, what was left out and why",
    )
    create_picture(
        (folder / "picture.png").read_bytes(),
        key=artifact_key("corpus-picture", name),
        description=f"Labels and lengths of the sources of {name}",
    )
    return report
