"""Our functions of logits are those of SciPy, also at the ends."""

import numpy as np
import pytest
import scipy.special

from metamapping.models import probabilities

LOGITS = np.array([[0.0, 1.0, -2.0], [1e4, -1e4, 0.0], [-800.0, 800.0, 3.5], [7.0, 7.0, 7.0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_is_that_of_scipy(name, dtype):
    ours = getattr(probabilities, name)(LOGITS.astype(dtype))
    theirs = getattr(scipy.special, name)(LOGITS.astype(dtype), axis=-1)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert ours.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_expit_is_that_of_scipy(dtype):
    ours = probabilities.expit(LOGITS.astype(dtype))
    np.testing.assert_allclose(ours, scipy.special.expit(LOGITS.astype(dtype)), rtol=1e-5, atol=1e-38)
    assert ours.dtype == dtype
    assert probabilities.expit(0.0) == 0.5


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_logsumexp_is_that_of_scipy(axis):
    with_nothing = np.where(LOGITS < -700, -np.inf, LOGITS)
    with_nothing[:, 2] = -np.inf
    np.testing.assert_allclose(
        probabilities.logsumexp(with_nothing, axis), scipy.special.logsumexp(with_nothing, axis), rtol=1e-12
    )
