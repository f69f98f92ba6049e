"""Solver constants: the numbers that the solvers of many tasks and those of one share, without TensorFlow.

Training solves many tasks at once in TensorFlow (the other modules of this package), the runtime one in NumPy
(``adaptation.algebra.runtime_solution``). The values of α that a fit considers are
``vector_layout.ALPHA_GRID``.
"""

from __future__ import annotations

# The grid's values of λ, as multiples of the learned one (R of them).
TEXT_RIDGE_FACTORS = (1 / 9, 1 / 3, 1.0, 3.0, 9.0)
# More items than this add nothing to the fit: this many are taken, evenly spaced.
MAX_ITEMS = 512
# Left-out items of different labels are not independent evidence: beyond this many labels the likelihood
# is scaled down, so that all together count as this many. The figures: docs/experiments/strengths.md.
MAX_EFFECTIVE_LABELS = 5.0
# The likelihood is averaged over these multiples of τ: the more labels, the higher the τ that fits.
INVERSE_TEMPERATURE_FACTORS = (1.0, 2.0, 4.0)
# A word's weight is its label's count to the power of minus this. The figures: docs/experiments/words.md.
WORD_BALANCE = 0.25
# Steps of the solver `gradient`.
NUM_STEPS = 5
