"""The Kaplan-Meier estimator of a survival function."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import FormulaError
from ..formula import caller_environment, design_from_formula
from ..inference.distributions import critical_value
from ..inference.predictions.curves import group_of

Array = NDArray[np.float64]


class KaplanMeier:
    """Product-limit estimate of S(t), with Greenwood's standard errors (Kaplan and Meier 1958; Greenwood 1926).

    Parameters
    ----------
    time : array_like
        Exit times (n,).
    event : array_like, optional
        1 for an event, 0 for right censoring; all events when left out.
    entry : array_like, optional
        Times from which rows are at risk.
    weights : array_like, optional
        How many times each row counts.
    label : str, optional
        Name of the curve in a plot.

    Attributes
    ----------
    table : DataFrame
        One row per distinct time: time, n_risk, n_event, n_censor, survival, se (of S), se_log (of log S).
    """

    def __init__(
        self,
        time: ArrayLike,
        event: ArrayLike | None = None,
        entry: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        label: str | None = None,
    ):
        exits = np.asarray(time, dtype=float)
        events = np.ones(len(exits)) if event is None else np.asarray(event, dtype=float)
        counts = np.ones(len(exits)) if weights is None else np.asarray(weights, dtype=float)
        entries = None if entry is None else np.asarray(entry, dtype=float)
        _check(exits, events, counts, entries)
        self.label = label
        self.table = _table(exits, events, counts, entries)

    @classmethod
    def from_formula(cls, formula: str, data: Any, weights: Any = None, eval_env: int = 0) -> dict[Any, KaplanMeier]:
        """One curve per combination of the right-hand side's values.

        Parameters
        ----------
        formula : str
            ``"Surv(time, event) ~ group"``; ``~ 1`` for a single curve, under the key "all".
        data : DataFrame

        Returns
        -------
        dict
            From the group's description, "arm=old", to its curve; groups in the order of the factors' levels.
        """
        rows = design_from_formula(
            {"group": formula},
            data,
            arguments={"freq_weights": weights},
            env=caller_environment(eval_env),
            missing="drop",
        )
        if "event" not in rows.data.columns:
            raise FormulaError(f"the response must be Surv(time, event), not {rows.design.response_label}")
        x = rows.data.x["group"].numpy()
        distinct, inverse = np.unique(x, axis=0, return_inverse=True)
        groups = [group_of(rows.design, "group", values) for values in distinct]
        curves = {}
        for code in sorted(range(len(groups)), key=lambda code: groups[code][1]):
            label = groups[code][0]
            picked = rows.data.take(inverse.reshape(-1) == code)
            entry, counts = picked.get("entry"), picked.get("freq_weights")
            curves[label] = cls(
                picked.y.numpy(), picked.event.numpy(), None if entry is None else entry.numpy(),
                None if counts is None else counts.numpy(), label,
            )  # fmt: skip
        return curves

    def survival(self, times: ArrayLike) -> Array:
        """S at given times: 1 before the first event."""
        steps = np.concatenate([[1.0], self.table["survival"].to_numpy()])
        return steps[np.searchsorted(self.table["time"].to_numpy(), np.asarray(times, dtype=float), side="right")]

    def quantile(self, probability: float = 0.5) -> float:
        """Smallest time at which S has fallen to 1 - probability; inf when it never does."""
        reached = self.table["survival"].to_numpy() <= 1 - probability + 1e-12
        return float(self.table["time"].to_numpy()[reached.argmax()]) if reached.any() else float("inf")

    def conf_int(self, alpha: float = 0.05, kind: str = "log") -> pd.DataFrame:
        """Limits of S at the times of the table.

        Parameters
        ----------
        kind : {"log", "log-log", "plain"}
            The scale the limits are made on; "log" is the default of R's survfit, "log-log" of lifelines.  Where S is 0 they
            are NaN, as in R.
        """
        s, se = self.table["survival"].to_numpy(), self.table["se_log"].to_numpy()
        z = critical_value(alpha)
        with np.errstate(divide="ignore", invalid="ignore"):
            if kind == "log":
                low, high = np.where(s > 0, s * np.exp(-z * se), np.nan), np.minimum(s * np.exp(z * se), 1.0)
            elif kind == "log-log":
                spread = z * se / np.log(s)
                low, high = s ** np.exp(-spread), s ** np.exp(spread)
            elif kind == "plain":
                low, high = np.maximum(s - z * s * se, 0.0), np.minimum(s + z * s * se, 1.0)
            else:
                raise ValueError(f"kind must be 'log', 'log-log' or 'plain', not {kind!r}")
        return pd.DataFrame({"lower": low, "upper": high}, index=self.table["time"])

    def plot(self, ax: Any = None, conf_int: bool = True, **options: Any) -> Any:
        """Draw the curve as steps, with its confidence band; returns the Axes."""
        from ..plots import plot_steps

        return plot_steps(self, ax, conf_int, **options)

    def __repr__(self) -> str:
        return f"<KaplanMeier: {int(self.table['n_event'].sum())} events at {len(self.table)} times>"


def _check(exits: Array, events: Array, counts: Array, entries: Array | None) -> None:
    for name, values in (("event", events), ("weights", counts), ("entry", entries)):
        if values is not None and len(values) != len(exits):
            raise ValueError(f"{name} has {len(values)} values; time has {len(exits)}")
    if np.isnan(exits).any() or np.isnan(events).any():
        raise ValueError("time and event must not be missing")
    if not np.isin(events, (0.0, 1.0)).all():
        raise ValueError("event must be 0 or 1")
    if entries is not None and (entries >= exits).any():
        raise ValueError("entry must be before time")


def _table(exits: Array, events: Array, counts: Array, entries: Array | None) -> pd.DataFrame:
    """Numbers at risk and the product limit at each distinct time."""
    times, at = np.unique(exits, return_inverse=True)
    at = at.reshape(-1)
    died = np.bincount(at, events * counts, len(times))
    left = np.bincount(at, (1 - events) * counts, len(times))
    risk = np.cumsum((died + left)[::-1])[::-1]
    if entries is not None:  # rows that enter at t or later are not at risk at t
        order = np.argsort(entries)
        entered = np.concatenate([[0.0], np.cumsum(counts[order])])
        risk = risk - (counts.sum() - entered[np.searchsorted(entries[order], times, side="left")])
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(1 - died / risk)
        se_log = np.sqrt(np.cumsum(np.where(died > 0, died / (risk * (risk - died)), 0.0)))
        se = np.where(survival > 0, survival * se_log, np.nan)
    return pd.DataFrame(
        {
            "time": times,
            "n_risk": risk,
            "n_event": died,
            "n_censor": left,
            "survival": survival,
            "se": se,
            "se_log": se_log,
        }
    )
