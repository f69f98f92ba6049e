"""Report a corpus: what came in, what came out, and what was rejected for which reasons."""

import base64

from prefect import task
from prefect.artifacts import create_image_artifact, create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE

from metamapping.corpus import stages as library
from metamapping.corpus.report import Prepared, read_source_table
from metamapping.storage.artifacts import Reference, Store


@task(task_run_name="report corpus", cache_policy=NO_CACHE, persist_result=False)
def report_corpus(home: str, prepared: list[Prepared], leaks: Reference) -> Reference:
    """Write the report of a corpus, and create artifacts of it for this flow run.

    Args:
        home: Folder or address of the store.
        prepared: All sources with their finished stages.
        leaks: The leaks of the corpus.

    Returns:
        The report.
    """
    report = library.report_corpus(Store(home), prepared, leaks)
    folder = report.fetch()
    picture = base64.b64encode((folder / "picture.png").read_bytes()).decode()
    create_table_artifact(
        key="corpus-sources", table=read_source_table(folder), description="Rows of each source"
    )
    create_markdown_artifact(key="corpus-report", markdown=(folder / "report.md").read_text(encoding="utf-8"))
    create_image_artifact(key="corpus-picture", image_url=f"data:image/png;base64,{picture}")
    return report
