"""Report a corpus: what came in, what went out, what was left out and why."""

import base64

from prefect import task
from prefect.artifacts import create_image_artifact, create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE

from metamapping.corpus.report import Prepared, describe_corpus, read_sources, report_stage, write_report
from metamapping.storage.artifacts import Reference, Store


@task(task_run_name="report corpus", cache_policy=NO_CACHE, persist_result=False)
def report_corpus(home: str, prepared: list[Prepared], leaks: Reference) -> Reference:
    """The report of all sources, in the store and as artifacts of every run that uses it."""
    store, stage = Store(home), report_stage(prepared, leaks.fingerprint)
    if store.find(stage) is None:
        with store.write(stage) as draft:
            draft.counts.update(write_report(describe_corpus(prepared, leaks.folder), draft.folder))
    done = store.find(stage)
    folder = done.folder
    picture = base64.b64encode((folder / "picture.png").read_bytes()).decode()
    create_table_artifact(key="corpus-sources", table=read_sources(folder), description="Rows of each source")
    create_markdown_artifact(key="corpus-report", markdown=(folder / "report.md").read_text(encoding="utf-8"))
    create_image_artifact(key="corpus-picture", image_url=f"data:image/png;base64,{picture}")
    return done
