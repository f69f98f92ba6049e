"""The option ``--threshold``: a number, ``auto`` or a wanted precision."""

import pytest
import typer

from metamapping.cli.options import threshold_of


def test_a_threshold_is_a_number_auto_or_a_precision():
    assert threshold_of("0.5") == 0.5
    assert threshold_of("auto") == "auto"
    assert threshold_of("precision=0.95") == {"precision": 0.95}


@pytest.mark.parametrize("wrong", ["1.5", "-1", "often", "precision=2", "precision=", "recall=0.5", "auto=1"])
def test_anything_else_is_refused(wrong):
    with pytest.raises(typer.BadParameter, match=r"give a number from 0 to 1, auto, or precision=0\.95"):
        threshold_of(wrong)
