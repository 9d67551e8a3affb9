"""The tests of a result: functions of `torchmle.inference`, which `Results` has as methods."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..inference.hypotheses import likelihood_ratio, overall, pairwise, score, terms, wald
from ..structured import is_of_columns

if TYPE_CHECKING:
    from .results import Results


class Hypotheses:
    """Wald and likelihood-ratio tests of parameters.

    A hypothesis is a string (``"x1 = x2, x3 = 1"``), a list of strings, a dict of weights by name, a matrix R of
    ``R params = 0``, or a pair (R, q).
    """

    t_test = wald.t_test
    wald_test = wald.wald_test
    wald_test_terms = terms.wald_test_terms
    t_test_pairwise = pairwise.t_test_pairwise
    lr_test = likelihood_ratio.lr_test
    score_test = score.score_test

    def f_test(self: Any, r_matrix: Any, cov_p: Any = None, invcov: Any = None) -> wald.JointTest:
        """Test linear hypotheses together by F."""
        return wald.wald_test(self, r_matrix, cov_p, invcov, use_f=True)

    @cached_property
    def _main_constant(self: Any) -> tuple[int | None, list[float] | None]:
        """Where the constant is in the main design."""
        return overall.main_constant(self)

    @cached_property
    def _overall(self: Any) -> overall.OverallTest | None:
        """Wald's test of all slopes under robust standard errors; None where another is shown."""
        wanted = self.covariance_is_robust and self.fit.inverse.definite and not hasattr(self, "fvalue")
        return overall.overall_wald(self) if wanted else None

    def twice_log_ratio(self: Any, restricted: Results) -> float:
        """Twice the log of the ratio of this likelihood to a restricted model's."""
        return 2 * (self.llf - restricted.llf)

    def term_positions(self: Any) -> dict[str, list[int]]:
        """Positions of each formula term in the parameter vector; of a design that several responses share, in all of them."""
        found: dict[str, list[int]] = {}
        for i, block in enumerate(self.model.layout.blocks):
            shared = is_of_columns(self.model.parameters.get(block.name))
            name = self.model.predictors()[0] if shared else block.name
            width = len(self.model.design.columns.get(name, ())) or 1
            starts = range(block.reported.start, block.reported.start + len(block.labels), width)
            for term, columns in self.model.design.terms.get(name, {}).items():
                label = term if i == 0 else f"{block.name}[{term}]"
                found[label] = [start + column for start in starts for column in range(*columns.indices(width))]
        return found
