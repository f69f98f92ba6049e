"""`metamapping serve`: serve tasks over HTTP."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Annotated, Literal

import typer

from metamapping.cli.options import BackendOption, encoder_place
from metamapping.cli.progress import print_note


def serve(
    model: Annotated[
        str | None,
        typer.Argument(
            parser=encoder_place,
            metavar="[MODEL]",
            help="Folder of a published encoder, or its address (`s3://…/published`); or a pretrained "
            "encoder. Not with `--follow`.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; other machines need METAMAPPING_API_KEY.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8080,
    follow: Annotated[
        Literal["production", "candidate"] | None,
        typer.Option(
            help="Serve the encoder of the run with this alias, and move to another one when the alias does."
        ),
    ] = None,
    home: Annotated[
        str, typer.Option(help="With `--follow`: folder or address of the store and the runs.")
    ] = ".metamapping",
    tasks: Annotated[Path, typer.Option(file_okay=False, help="Folder in which tasks are stored.")] = Path(
        ".metamapping/tasks"
    ),
    max_tasks: Annotated[int, typer.Option(min=1, help="Limit of tasks on the server.")] = 1_000,
    max_examples: Annotated[int, typer.Option(min=2, help="Limit of examples per task.")] = 5_000,
    max_labels: Annotated[int, typer.Option(min=2, help="Limit of labels per task.")] = 1_000,
    max_texts: Annotated[int, typer.Option(min=1, help="Limit of texts per request.")] = 1_000,
    max_characters: Annotated[
        int, typer.Option(min=1, help="Limit of characters per request; it also limits the body.")
    ] = 500_000,
    max_jobs: Annotated[
        int, typer.Option(min=1, help="Limit of tuning jobs that run or wait; one runs at a time.")
    ] = 8,
    max_tune_seconds: Annotated[
        float, typer.Option(min=1, help="Time limit of a tuning job; then it ends with the best so far.")
    ] = 600.0,
    log: Annotated[
        Path | None,
        typer.Option(
            "--log",
            metavar="FILE",
            dir_okay=False,
            help="Append a line of JSON for each prediction to a file; see metamapping drift.",
        ),
    ] = None,
    log_texts: Annotated[
        bool, typer.Option("--log-texts", help="Write the texts into the log, too.")
    ] = False,
    backend: BackendOption = "auto",
) -> None:
    """Serve an encoder over HTTP: adapt to tasks, and predict labels.

    Tasks are stored on disk and survive a restart. `/docs` lists the endpoints; `/health` and `/metrics` are
    for monitoring.

    `metamapping serve published --tasks tasks`

    `metamapping serve --follow production --home .metamapping`

    `METAMAPPING_API_KEY=… metamapping serve published --host 0.0.0.0`
    """
    try:
        from metamapping.serving.server import run_server
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{error.name} is not installed: install the extra `serve` with pip install 'metamapping[serve]'"
        ) from error
    from metamapping.publishing.layout import check_published
    from metamapping.publishing.pretrained_model import (
        check_pretrained,
        is_on_hub,
        is_pretrained,
        untrained_sentence,
    )
    from metamapping.serving.access import KEY_VARIABLE, check_host
    from metamapping.serving.limits import Limits
    from metamapping.serving.metrics import Metrics
    from metamapping.serving.monitoring import PredictionLog
    from metamapping.serving.service import Service
    from metamapping.storage.remote import local_folder

    key = os.environ.get(KEY_VARIABLE) or None
    check_host(host, key=key)
    if (model is None) is (follow is None):
        raise ValueError("give either MODEL, the folder of a published encoder, or --follow production")
    if follow is not None:
        from metamapping.cli.run_names import find_run
        from metamapping.storage.remote import open_folder

        run = find_run(follow, home=home)
        model = str(open_folder(run.published))
    assert model is not None
    if is_pretrained(model):
        if not is_on_hub(model):
            check_pretrained(Path(model))
        print_note(f"note: {untrained_sentence(model)}")
    else:
        check_published(local_folder(model))
    limits = Limits(
        tasks=max_tasks,
        examples=max_examples,
        texts=max_texts,
        characters=max_characters,
        jobs=max_jobs,
        tune_seconds=max_tune_seconds,
        labels=max_labels,
    )
    if log_texts and log is None:
        raise ValueError("--log-texts needs a log: give --log FILE, too")
    written = None if log is None else PredictionLog(log, with_texts=log_texts)
    service = Service(
        model, tasks, limits, Metrics(), written, backend=backend, keeps_encoders=follow is not None
    )
    if follow is not None:
        from metamapping.runs.registry import Registry
        from metamapping.serving.moving import follow as follow_alias

        arguments = (service, Registry(home), follow, run.run_id)
        threading.Thread(target=follow_alias, args=arguments, name="following", daemon=True).start()
    run_server(service, host=host, port=port, key=key)
