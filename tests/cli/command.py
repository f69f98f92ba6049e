"""The command line, run in this process."""

from metamapping.cli import main


def shell(*arguments):
    """The exit code of `metamapping` with these arguments."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as end:
        return end.code or 0
