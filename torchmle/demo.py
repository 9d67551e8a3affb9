"""What `make demo` and `python -m torchmle.demo` show. A script for people: the one file of the package that prints."""

from __future__ import annotations

import torchmle as tm

FORMULA = (
    "visits ~ gender + age + I(age**2) + income + illness + reduced + health"
    " + private + freepoor + freerepat + nchronic + lchronic"
)

NEXT = """
To go on, in .venv/bin/python:

import torchmle as tm
df = tm.datasets.doctor_visits()
model = tm.Poisson.from_formula("visits ~ gender + income + illness", df)
res = model.fit(cov_type="cluster", cov_kwds={"groups": "age"})  # errors that allow for age groups
res.predict(df.head())  # the visits expected of five people
res.conf_int()

Your own likelihood takes six lines: see README.md. The notebooks in notebooks/ go further.
"""


def main() -> None:
    """Fit a Poisson regression to the bundled data, print its summary and what to try next."""
    df = tm.datasets.doctor_visits()
    res = tm.Poisson.from_formula(FORMULA, df).fit(cov_type="HC1", disp=False)
    print(res.summary())
    print(NEXT)


if __name__ == "__main__":
    main()
