"""The expected information, from the log-likelihood alone: outer products of scores averaged over the responses of each row.

    ``sum_i w_i X_i' E[g_i g_i'] X_i``,   g_i the derivatives of ``l_i`` in the row's m linear predictors,

where the expectation is over the responses that the row could have had by its own distribution (`responses`).  It is one only
where ``exp(l_i)`` adds up to one and g_i has mean zero; so both are looked at in every row, and what fails is refused: a
censored response, a quasi-likelihood, constants that were left out, a support that depends on the parameters.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..compute.processes import total
from ..data import Data
from ..sums import row_sums
from .predictions.by_numbers import Seen, log_density_of, repeated, seen
from .responses import POINTS, Responses, Rule, rules

if TYPE_CHECKING:
    from ..likelihood import LikelihoodModel

ROWS = 256  # whose responses are found at once
SORTED = 8192  # from among which they are taken
PROBE = 8  # rows on which a way to find responses is tried first
MASS = 1e-6  # by which probabilities of a row may miss one
MEAN = 1e-4  # of a score, in its standard deviations
ROOT = 2**0.5
LAGUERRE = (2 - ROOT, 2 + ROOT), ((2 + ROOT) / 4, (2 - ROOT) / 4)  # of an exponential tail, exact for products of lines


def expected_information(model: LikelihoodModel, z: Tensor) -> Tensor:
    """The expected information in z, (k, k), on the CPU.

    Raises
    ------
    ValueError
        The model does not say the distribution of a response.
    """
    _refuse_what_is_known(model)
    point, probe = z.detach().cpu(), _probe(model.rows)
    kind = seen(model.rows.y, model.rows.group)
    for rule in rules(kind):
        tried = None if _block(model, point, kind, rule, probe)[1] else rule
        information, amiss = row_sums(partial(_block, model, point, kind, tried), model.rows, rows=SORTED)
        if not amiss:
            return information
    raise ValueError(
        f"{type(model).__name__} has no expected information: exp(loglike_obs) is not, in every row, the probability or the "
        "density of its response, which sums to one over all values and under which scores have mean zero, as it is not for "
        "censored responses, quasi-likelihoods, constants left out and generalized Poisson counts of negative alpha; use "
        "cov_type='oim', the observed information, or define expected_information(self, z)"
    )


def _refuse_what_is_known(model: LikelihoodModel) -> None:
    """Models whose expected information would need more than their likelihood says."""
    name, rows = type(model).__name__, model.rows
    event = rows.get("event", torch.ones(1))
    assert event is not None
    if total(int((event != 1).sum()), rows.group) or "entry" in rows.columns:
        raise ValueError(
            f"{name} has no expected information with censored or late rows: it depends on the times at which rows would have "
            "been censored, which the model does not say; use cov_type='oim', the observed information"
        )
    if model.likelihood_of_params:
        raise ValueError(
            f"{name} says its log-likelihood as a function of the parameters, for the responses seen alone, so that there is no "
            "expected information; use cov_type='oim', the observed information, or write a RegressionModel"
        )
    if rows.y.ndim > 1:
        raise ValueError(
            f"{name} has no expected information: it is found by numbers for one response a row, and there are "
            f"{rows.y.shape[1]}; use cov_type='oim', or define expected_information(self, z)"
        )


def _probe(rows: Data) -> Data:
    """A few rows, evenly over the data."""
    places = torch.linspace(0, rows.n - 1, min(PROBE, rows.n)).round().long()
    return rows.take(places).with_group(None)


def _block(model: LikelihoodModel, z: Tensor, kind: Seen, rule: Rule | None, block: Data) -> tuple[Tensor, Tensor]:
    """The information of a block, and in how many rows of it, as far as they were looked at, the responses are amiss."""
    information, amiss = torch.zeros(len(z), len(z), dtype=torch.float64), block.n if rule is None else 0
    rows = _counting(block.block(slice(0, block.n)).to("cpu"))
    for places in _alike(model, z, rows).split(ROWS):
        if rule is None or amiss or not len(places):
            break
        more, amiss = _moments(model, z, kind, rule, rows.take(places))
        information += more
    return information, torch.tensor(float(amiss), dtype=torch.float64)


def _alike(model: LikelihoodModel, z: Tensor, rows: Data) -> Tensor:
    """Places of the rows in the order of their first linear predictor, so that neighbours need much the same responses."""
    return model.eta(z, rows)[0].argsort() if hasattr(model, "eta") else torch.arange(rows.n)


def _moments(model: LikelihoodModel, z: Tensor, kind: Seen, rule: Rule, rows: Data) -> tuple[Tensor, int]:
    """The information of some rows, and in how many of them the responses are not those of a distribution."""
    found = rule(log_density_of(model, rows, kind, lambda many, _: model.row_loglike(z, many)), rows.n)
    scores = model.information_scores(z, repeated(model, rows, kind, found.y)[0]).reshape(*found.y.shape, -1)
    chance, scores = _with_tails(found, scores)
    mean, products = (chance * scores).sum(1), (chance * scores).mT @ scores
    right = (chance.sum(1) - 1).abs()[:, 0] < MASS
    right &= (mean.square() <= MEAN**2 * products.diagonal(dim1=1, dim2=2)).all(1)
    return model.information_of(products, rows), int((~right).sum())


def _counting(rows: Data) -> Data:
    """The rows that have any weight."""
    weights = rows.get("freq_weights")
    return rows if weights is None or bool((weights > 0).all()) else rows.take(weights > 0)


def _with_tails(found: Responses, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities (n, g, 1) and scores (n, g, m), with points in tails beyond the responses, where scores go on straight."""
    chance = found.chance.nan_to_num(torch.inf)
    known = torch.where(chance[:, :, None] > 0, scores, 0.0)
    if not bool((found.rest > 0).any()):
        return chance[:, :, None], known
    inside = min(POINTS, scores.shape[1] - 1)
    ends, cut = scores[:, [0, -1]], found.rest[:, :, None] > 0
    slope = (ends - scores[:, [inside, -1 - inside]]) * found.length[:, :, None]
    beyond = [torch.where(cut, ends + place * slope, 0.0) for place in LAGUERRE[0]]
    tails = [found.rest * share for share in LAGUERRE[1]]
    return torch.cat([chance, *tails], 1)[:, :, None], torch.cat([known, *beyond], 1)
