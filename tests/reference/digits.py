"""How many digits agree."""

import numpy as np


def digits(ours, theirs, most=16.0):
    """Smallest log relative error: the number of digits that agree; `most` when all do, 0 where a value is not finite."""
    ours, theirs = np.atleast_1d(np.asarray(ours, float)), np.atleast_1d(np.asarray(theirs, float))
    assert ours.shape == theirs.shape
    error = np.abs(ours - theirs) / np.where(theirs == 0, 1.0, np.abs(theirs))
    return float(-np.log10(np.maximum(error, 10.0**-most)).min()) if np.isfinite(ours).all() else 0.0
