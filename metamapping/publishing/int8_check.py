"""Check of 8 bits: what they cost in accuracy, measured when an encoder was published.

Dense layers of 8 bits are faster, and change features a little. At publishing the validation sources are
scored with them as well, and a loss that is too large is a reason not to use them.

    check = Int8Check(float32=0.712, int8=0.711, num_sources=10)
    check.is_accepted                                      # True
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# As much as 0.3 points of accuracy.
MAX_LOSS = 0.003

Score = Annotated[float, Field(ge=0, le=1)]


class Int8Check(BaseModel):
    """Mean scores on the validation sources, over all sources and numbers of shots, on the same episodes.

    Attributes:
        float32: With the encoder in float32.
        int8: With dense layers of 8 bits.
        num_sources: The number of sources.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    float32: Score
    int8: Score
    num_sources: Annotated[int, Field(ge=1)]

    @property
    def is_accepted(self) -> bool:
        """Whether 8 bits lose less than ``MAX_LOSS``."""
        return self.float32 - self.int8 < MAX_LOSS

    @property
    def figures(self) -> str:
        """Both scores, as a part of a sentence."""
        return (
            f"{100 * self.int8:.1f} instead of {100 * self.float32:.1f} on the "
            f"{self.num_sources} validation source{'s' if self.num_sources > 1 else ''} "
            f"({100 * (self.int8 - self.float32):+.2f}; less than {100 * MAX_LOSS:.1f} may be lost)"
        )


def int8_markdown(check: Int8Check | None) -> str:
    """What a model card says about 8 bits.

    Args:
        check: What was measured; ``None`` if nothing could be.
    """
    if check is None:
        return (
            'The backend `int8` was not measured with this encoder: compare it with `backend="runtime"` on '
            "your own task before you rely on it."
        )
    if check.is_accepted:
        return f"With the backend `int8`, which is faster, the mean score is {check.figures}."
    return (
        f"The backend `int8` is refused for this encoder, because it loses too much: {check.figures}. "
        "`int8-anyway` uses it nevertheless."
    )
