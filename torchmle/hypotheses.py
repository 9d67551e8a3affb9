"""The tests of a result: methods that `Results` has, each one call into `torchmle.inference`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .inference import likelihood_ratio, pairwise, score, terms, wald

if TYPE_CHECKING:
    from .results import Results


class Hypotheses:
    """Wald and likelihood-ratio tests of parameters.

    A hypothesis is a string (``"x1 = x2, x3 = 1"``), a list of strings, a dict of weights by name, a matrix R of
    ``R params = 0``, or a pair (R, q).
    """

    def t_test(self: Any, r_matrix: Any, cov_p: Any = None, use_t: bool | None = None) -> wald.TTest:
        """Test each of some linear hypotheses; `cov_p` and `use_t` replace the result's own."""
        return wald.t_test(self, r_matrix, cov_p, use_t)

    def wald_test(
        self: Any,
        r_matrix: Any,
        cov_p: Any = None,
        invcov: Any = None,
        use_f: bool | None = None,
        df_constraints: int | None = None,
        scalar: bool | None = None,
    ) -> wald.JointTest:
        """Test linear hypotheses together: chi-squared, or F under `use_t`; see `torchmle.inference.wald.wald_test`."""
        return wald.wald_test(self, r_matrix, cov_p, invcov, use_f, df_constraints, scalar)

    def f_test(self: Any, r_matrix: Any, cov_p: Any = None, invcov: Any = None) -> wald.JointTest:
        """Test linear hypotheses together by F."""
        return wald.wald_test(self, r_matrix, cov_p, invcov, use_f=True)

    def wald_test_terms(
        self: Any,
        skip_single: bool = False,
        extra_constraints: Sequence[Any] | None = None,
        combine_terms: Sequence[str] | None = None,
        scalar: bool | None = None,
    ) -> terms.TermTests:
        """Joint Wald test of each term of the formulas; see `torchmle.inference.terms.wald_test_terms`."""
        return terms.wald_test_terms(self, skip_single, extra_constraints, combine_terms, scalar)

    def t_test_pairwise(
        self: Any,
        term_name: str,
        method: str | Sequence[str] = "hs",
        alpha: float = 0.05,
        factor_labels: Sequence[str] | None = None,
    ) -> pairwise.PairwiseTests:
        """Test the differences between levels of a factor; see `torchmle.inference.pairwise.t_test_pairwise`."""
        return pairwise.t_test_pairwise(self, term_name, method, alpha, factor_labels)

    def twice_log_ratio(self: Any, restricted: Results) -> float:
        """Twice the log of the ratio of this likelihood to a restricted model's."""
        return 2 * (self.llf - restricted.llf)

    def lr_test(self: Any, other: Results, force: bool = False) -> likelihood_ratio.LikelihoodRatio:
        """Likelihood-ratio test against a nested model."""
        return likelihood_ratio.lr_test(self, other, force)

    def score_test(
        self: Any,
        exog_extra: Any = None,
        params_constrained: Any = None,
        hypothesis: str = "joint",
        cov_type: str | None = None,
        cov_kwds: Mapping[str, Any] | None = None,
        k_constraints: int | None = None,
        r_matrix: Any = None,
        scale: float | None = None,
        observed: bool = True,
    ) -> score.ScoreTestResult:
        """Score (Rao) test of the constraints of this fit, of a linear hypothesis, or of columns left out.

        See `torchmle.inference.score.score_test`.
        """
        return score.score_test(
            self,
            exog_extra,
            params_constrained,
            hypothesis,
            cov_type,
            cov_kwds,
            k_constraints,
            r_matrix,
            scale,
            observed,
        )

    def term_positions(self: Any) -> dict[str, list[int]]:
        """Positions of each formula term in the parameter vector."""
        found: dict[str, list[int]] = {}
        for i, block in enumerate(self.model.layout.blocks):
            for term, columns in self.model.design.terms.get(block.name, {}).items():
                label = term if i == 0 else f"{block.name}[{term}]"
                found[label] = list(range(*columns.indices(len(block.labels))))
                found[label] = [block.reported.start + column for column in found[label]]
        return found
