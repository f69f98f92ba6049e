"""The option ``--threshold``: a number, ``auto``, a wanted precision or a share of texts out of scope."""

import pytest
import typer

from metamapping.cli.options import threshold_of


def test_a_threshold_is_a_number_auto_a_precision_or_a_share():
    assert threshold_of("0.5") == 0.5
    assert threshold_of("auto") == "auto"
    assert threshold_of("precision=0.95") == {"precision": 0.95}
    assert threshold_of("precision=0.95,outside=0.1") == {"precision": 0.95, "outside": 0.1}


@pytest.mark.parametrize(
    "wrong", ["1.5", "-1", "often", "precision=2", "precision=", "recall=0.5", "auto=1", "outside=0.1,0.2"]
)
def test_anything_else_is_refused(wrong):
    with pytest.raises(
        typer.BadParameter, match=r"give a number from 0 to 1, auto, precision=0\.95 or outside=0\.1"
    ):
        threshold_of(wrong)
