"""Zero-inflated count models, by statsmodels' names."""

from ..models.zero_inflated import ZeroInflatedGeneralizedPoisson, ZeroInflatedNegativeBinomialP, ZeroInflatedPoisson

__all__ = ["ZeroInflatedGeneralizedPoisson", "ZeroInflatedNegativeBinomialP", "ZeroInflatedPoisson"]
