"""Joint tests of the terms of a formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .wald import wald_test

if TYPE_CHECKING:
    from ...results import Results

Array = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class TermTests:
    """One joint test per row.

    Attributes
    ----------
    table : DataFrame
        Indexed by term, with columns statistic, pvalue, df_constraint, and df_denom when the tests are F tests.
    distribution : {"F", "chi2"}
    """

    table: pd.DataFrame
    distribution: str

    @property
    def statistic(self) -> Any:
        return self.table["statistic"].to_numpy()

    @property
    def pvalues(self) -> Any:
        return self.table["pvalue"].to_numpy()

    @property
    def df_constraints(self) -> Any:
        """Number of independent constraints of each test."""
        return self.table["df_constraint"].to_numpy()

    @property
    def df_denom(self) -> Any:
        """Residual degrees of freedom of each F test."""
        if self.distribution != "F":
            raise AttributeError("chi-squared tests have no df_denom")
        return self.table["df_denom"].to_numpy()

    @property
    def col_names(self) -> list[str]:
        """Columns of `summary_frame`."""
        names = [self.distribution, f"P>{self.distribution}", "df constraint"]
        return [*names, "df denom"] if self.distribution == "F" else names

    def summary_frame(self) -> pd.DataFrame:
        """The table with columns named after the distribution."""
        return self.table.set_axis(self.col_names, axis=1)

    def __str__(self) -> str:
        return self.summary_frame().to_string()

    def __repr__(self) -> str:
        return f"{type(self)!r}\n{self}"


def wald_test_terms(
    results: Results,
    skip_single: bool = False,
    extra_constraints: Sequence[Any] | None = None,
    combine_terms: Sequence[str] | None = None,
    scalar: bool | None = None,
) -> TermTests:
    """Joint Wald tests of each term, and of more.

    Coefficients that the user held fixed are known, so there is nothing to test: they are left out of their terms, and
    terms that have no others out of the table.

    Parameters
    ----------
    results : Results
    skip_single : bool
        Leave out the terms with one coefficient.
    extra_constraints : sequence, optional
        Pairs of a name and a hypothesis, tested besides.
    combine_terms : sequence of str, optional
        For each of these strings, a test of all terms together whose names contain it.
    scalar : bool, optional
        False: statistics and p-values as (1, 1) arrays.

    Raises
    ------
    ValueError
        No term contains one of the strings.
    """
    held, eye = set(results.fit.coordinates.fixed), np.eye(len(results.names))
    free = {
        name: [position for position in at if position not in held] for name, at in results.term_positions().items()
    }
    terms = {name: at for name, at in free.items() if at}
    hypotheses = [(name, eye[at]) for name, at in terms.items() if not (skip_single and len(at) == 1)]
    for text in combine_terms or ():
        positions = [position for name, at in terms.items() if text in name for position in at]
        if not positions:
            raise ValueError(f"no term contains {text!r}; the terms are {', '.join(terms)}")
        hypotheses.append((text, eye[positions]))
    hypotheses += list(extra_constraints or ())
    names, tests = [], []
    for name, hypothesis in hypotheses:
        names.append(name)
        tests.append(wald_test(results, hypothesis, scalar=scalar))
    rows = [[test.statistic, test.pvalue, test.df_num, test.df_residual] for test in tests]
    table = pd.DataFrame(rows, index=names, columns=["statistic", "pvalue", "df_constraint", "df_denom"])
    return TermTests(table if results.use_t else table.drop(columns="df_denom"), "F" if results.use_t else "chi2")
