"""What statsmodels' users ask of a least-squares fit by name: robust standard errors, comparisons, influence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...inference.hypotheses import empirical, nested
from ...influence import linear as influence
from ...results.estimates import Array

if TYPE_CHECKING:
    from ...results import Results
    from .results import LinearResults


class LinearComparisons:
    """Methods of `LinearResults` that compare it with other covariances, other models and other rows."""

    use_t: bool
    with_covariance: Any

    def _robust(self, kind: str) -> Array:
        return self.with_covariance(kind).covariance_array

    @property
    def cov_HC0(self) -> Array:
        """White's (1980) covariance of the estimates, (k, k)."""
        return self._robust("HC0")

    @property
    def cov_HC1(self) -> Array:
        """`cov_HC0` times n / (n - k)."""
        return self._robust("HC1")

    @property
    def cov_HC2(self) -> Array:
        """MacKinnon and White's (1985) with residuals over ``sqrt(1 - h)``."""
        return self._robust("HC2")

    @property
    def cov_HC3(self) -> Array:
        """MacKinnon and White's (1985) with residuals over ``1 - h``."""
        return self._robust("HC3")

    @property
    def HC0_se(self) -> Any:
        """Standard errors by `cov_HC0`."""
        return self.with_covariance("HC0").bse

    @property
    def HC1_se(self) -> Any:
        """Standard errors by `cov_HC1`."""
        return self.with_covariance("HC1").bse

    @property
    def HC2_se(self) -> Any:
        """Standard errors by `cov_HC2`."""
        return self.with_covariance("HC2").bse

    @property
    def HC3_se(self) -> Any:
        """Standard errors by `cov_HC3`."""
        return self.with_covariance("HC3").bse

    def get_robustcov_results(self, cov_type: str = "HC1", use_t: bool | None = None, **kwds: Any) -> Results:
        """The same estimates with another covariance; Student's t stays in use where it is, unless `use_t` is given."""
        use_t = kwds.pop("use_t", self.use_t) if use_t is None else use_t
        return self.with_covariance(cov_type, kwds, use_t=use_t)

    def compare_f_test(self: Any, restricted: LinearResults) -> nested.CompareFTestResult:
        """F test against a nested model; see `torchmle.inference.hypotheses.nested.compare_f_test`."""
        return nested.compare_f_test(self, restricted)

    def compare_lr_test(self: Any, restricted: LinearResults, large_sample: bool = False) -> nested.CompareLRTestResult:
        """Likelihood-ratio test against a nested model; see `torchmle.inference.hypotheses.nested.compare_lr_test`."""
        return nested.compare_lr_test(self, restricted, large_sample)

    def compare_lm_test(
        self: Any, restricted: LinearResults, demean: bool = True, use_lr: bool = False
    ) -> nested.CompareLRTestResult:
        """Lagrange-multiplier test against a nested model; see `torchmle.inference.hypotheses.nested.compare_lm_test`."""
        return nested.compare_lm_test(self, restricted, demean, use_lr)

    def get_influence(self: Any) -> influence.OLSInfluence:
        """Leverages, studentised residuals, Cook's distances, DFFITS, DFBETAS of each row."""
        return influence.OLSInfluence(self)

    outlier_test = influence.outlier_test

    el_test = empirical.el_test

    conf_int_el = empirical.conf_int_el
