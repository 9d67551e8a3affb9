"""Which way a formula goes: the short one for ordinary numbers, where no row needs the one for extreme numbers.

Both are right wherever the short one is taken, so that it decides about time alone.  A device is never asked, because it would
have to be waited for; there the long way is taken.
"""

from __future__ import annotations

import math

from torch import Tensor


def holds(condition: Tensor) -> bool:
    """Whether a condition is known to hold in all rows."""
    return condition.device.type == "cpu" and bool(condition.all())


def finite(x: Tensor) -> bool:
    """Whether all entries are known to be finite; their sum tells, unless it overflows by itself."""
    return x.device.type == "cpu" and math.isfinite(x.detach().sum())
