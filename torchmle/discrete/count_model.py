"""Zero-inflated count models, by statsmodels' names."""

from ..models.counts.zero_inflated import (
    ZeroInflatedGeneralizedPoisson,
    ZeroInflatedNegativeBinomialP,
    ZeroInflatedPoisson,
)

__all__ = ["ZeroInflatedGeneralizedPoisson", "ZeroInflatedNegativeBinomialP", "ZeroInflatedPoisson"]
