"""Run commands of `metamapping` in this process."""

from metamapping.cli import main


def run_cli(*arguments):
    """Run `metamapping` with these arguments, and return the exit code."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code or 0
