"""The Australian Health Survey of 1977-78: what makes people see a doctor."""

from __future__ import annotations

from importlib.resources import files

import pandas as pd

_LEVELS = {
    "gender": ("male", "female"),
    **dict.fromkeys(["private", "freepoor", "freerepat", "nchronic", "lchronic"], ("no", "yes")),
}


def doctor_visits() -> pd.DataFrame:
    """Doctor visits of 5190 single-person households in Australia, 1977-78.

    Returns
    -------
    DataFrame, 5190 rows, one per person, no missing values
        ``visits``
            Visits to a doctor in the past two weeks (count, 0 to 9).
        ``gender``
            ``male`` or ``female``.
        ``age``
            Age in years divided by 100 (0.19 to 0.72).
        ``income``
            Annual income in tens of thousands of Australian dollars (0 to 1.5).
        ``illness``
            Illnesses in the past two weeks (count, 0 to 5).
        ``reduced``
            Days of reduced activity in the past two weeks because of illness or injury (0 to 14).
        ``health``
            General health questionnaire score by Goldberg's method (0 to 12); high is bad health.
        ``private``
            Has private health insurance: ``no`` or ``yes``.
        ``freepoor``
            Has free government insurance because of low income: ``no`` or ``yes``.
        ``freerepat``
            Has free government insurance because of old age, disability or veteran status: ``no`` or ``yes``.
        ``nchronic``
            Has a chronic condition that does not limit activity: ``no`` or ``yes``.
        ``lchronic``
            Has a chronic condition that limits activity: ``no`` or ``yes``.

        The columns of words are categorical, and the level named first is the baseline of a formula, as in R.

    Notes
    -----
    The values are those of ``DoctorVisits`` in the R package AER, which has them from the data archive of the Journal
    of Applied Econometrics (Mullahy 1997).

    References
    ----------
    Cameron, A. C. and Trivedi, P. K. (1986). Econometric models based on count data: comparisons and applications of
    some estimators and tests. Journal of Applied Econometrics 1, 29-53.

    Examples
    --------
    >>> from torchmle.datasets import doctor_visits
    >>> doctor_visits()[["visits", "gender", "age", "income"]].head(3)
       visits  gender   age  income
    0       1  female  0.19    0.55
    1       1  female  0.19    0.45
    2       1    male  0.19    0.90
    """
    with files(__package__).joinpath("doctor_visits.csv.gz").open("rb") as file:
        df = pd.read_csv(file, compression="gzip")
    return df.astype({name: pd.CategoricalDtype(list(levels)) for name, levels in _LEVELS.items()})
