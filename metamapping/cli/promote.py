"""`metamapping promote` and `rollback`: which run is in production."""

from __future__ import annotations

from typing import Annotated

import typer

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="ID of a published run, or `candidate`.")]
HomeOption = Annotated[str, typer.Option(help="Folder or address of the store and the runs.")]
WhyOption = Annotated[str, typer.Option("--why", help="The reason, one sentence, for the history.")]
ByOption = Annotated[
    str | None, typer.Option("--by", help="Who decides, for the history. Default: the user of this machine.")
]


def promote(
    run: RunArgument,
    home: HomeOption = ".metamapping",
    why: WhyOption = "",
    by: ByOption = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Compare it with production first, on the same held-out episodes, and promote it only if "
            "the rules of its configuration (`promotion`) allow that.",
        ),
    ] = False,
) -> None:
    """Put the encoder of a run into production.

    Runs with `start: production` continue from it. `metamapping runs` shows the alias, `metamapping runs
    --history` who has promoted what and why.

    `metamapping promote demo-1f0c3a77b2d94e61 --why "better on every source"`
    """
    from metamapping.cli.run_names import find_run
    from metamapping.runs.folder import RunFolder
    from metamapping.runs.registry import current_user
    from metamapping.runs.tracking import TrackedRegistry

    found = find_run(run, home=home)
    registry = TrackedRegistry(home)
    before = registry.production
    if before == found.run_id:
        print(f"{before} is in production already.")
        return
    by = by or current_user()
    if check:
        from metamapping.runs.gate import check_candidate

        production = None if before is None else RunFolder(home, before)
        decision = check_candidate(found, production)
        print(decision.markdown())
        if not decision.is_allowed:
            registry.refuse(found.run_id, why=decision.sentence, by=by)
            raise ValueError(
                f"{found.run_id} is not promoted; without --check it would be. {decision.sentence}"
            )
        registry.promote(found.run_id, why=why or decision.sentence, by=by, instead_of=before)
    else:
        registry.promote(found.run_id, why=why or "promoted by hand", by=by)
    print(f"{found.run_id} is in production{f' instead of {before}' if before else ''}.")


def rollback(home: HomeOption = ".metamapping", why: WhyOption = "", by: ByOption = None) -> None:
    """Put the run back into production that was there before.

    `metamapping rollback --why "complaints from the shop"`
    """
    from metamapping.runs.registry import current_user
    from metamapping.runs.tracking import TrackedRegistry

    registry = TrackedRegistry(home)
    left = registry.production
    entry = registry.rollback(why=why or "rolled back by hand", by=by or current_user())
    print(f"{entry.run} is in production again, instead of {left}.")
