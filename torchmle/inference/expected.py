"""The expected information, from the log-likelihood alone: outer products of scores averaged over the responses of each row.

    ``sum_i w_i X_i' E[g_i g_i'] X_i``,   g_i the derivatives of ``l_i`` in the row's m linear predictors,

where the expectation is over the responses that the row could have had by its own distribution (`responses`).  It is one only
where ``exp(l_i)`` adds up to one and g_i has mean zero; so both are looked at, and what fails is refused: a
quasi-likelihood, constants that were left out, a support that depends on the parameters, censoring at times that are known
of the censored rows alone.  Limits that are known of every row are part of the distribution (`limited`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..compute.autodiff import Eta
from ..compute.processes import total
from ..data import Data
from ..sums import row_sums
from .alike import WEIGHTS, by_predictors, merged
from .limited import limited
from .predictions.by_numbers import Seen, log_density_of, repeated, seen
from .responses import POINTS, Responses, Rule, rules

if TYPE_CHECKING:
    from ..likelihood import LikelihoodModel

OfRows = Callable[[Data, Tensor], Tensor]  # of repeated rows, and the place of each among the rows

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
    refuse_what_is_known(model)
    point, probe = z.detach().cpu(), _probe(model.rows)
    kind = seen(model.rows.y, model.rows.group)
    for rule in chain(rules(kind), limited(kind, model.rows)):
        tried = None if _block(model, point, kind, rule, probe)[1] else rule
        information, amiss = row_sums(partial(_block, model, point, kind, tried), model.rows, rows=SORTED)
        if not amiss:
            return information
    raise no_distribution(model)


def no_distribution(model: LikelihoodModel, rows: str = "exp(loglike_obs)") -> ValueError:
    """What to say where the responses are not those of a distribution."""
    return ValueError(
        f"{type(model).__name__} has no expected information: {rows} is not, in every row, the probability or the "
        "density of its response, which sums to one over all values and under which scores have mean zero, as it is not for "
        "quasi-likelihoods, constants left out, a support that moves with the parameters (generalized Poisson counts of "
        "negative alpha) and censoring that a column marks; use cov_type='oim', the observed information, or define "
        "expected_information(self, z)"
    )


def refuse_what_is_known(model: LikelihoodModel) -> None:
    """Models whose expected information would need more than their likelihood says."""
    name, rows = type(model).__name__, model.rows
    event = rows.get("event", torch.ones(1))
    assert event is not None
    if total(int((event != 1).sum()), rows.group):
        raise ValueError(
            f"{name} has no expected information with censored rows: it depends on the times at which the others would have "
            "been censored, which are not known; use cov_type='oim', the observed information, or, where each row's is known, "
            "a RegressionModel of the response alone, with a probability of its own at that limit"
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
    if rule is not None:
        given = _given(model, block)
        rows = merged(block.block(slice(0, block.n)).to("cpu"), given)
        eta = model.eta(z, rows) if hasattr(model, "eta") else (torch.arange(rows.n),)
        of_predictors = {"offset", "log_exposure"} | ({"exposure"} if "log_exposure" in given else set())
        alone = hasattr(model, "eta") and of_predictors.issuperset(given)
        found = by_predictors(torch.stack(eta), partial(_at, model, kind, rule, rows)) if alone else None
        if found is not None:
            return model.information_of(found, rows), torch.zeros((), dtype=torch.float64)
        for places in eta[0].argsort().split(ROWS) if rows.n else ():  # neighbours need much the same responses
            some = rows.take(places)
            products, wrong = _moments(model, kind, rule, some, *_of_rows(model, z))
            information, amiss = information + model.information_of(products, some), amiss + wrong
            if amiss:
                break
    return information, torch.tensor(float(amiss), dtype=torch.float64)


def _given(model: LikelihoodModel, rows: Data) -> list[str]:
    """Columns that likelihoods may look at, but for those that come from the response and the weights."""
    again = model.with_responses(rows, rows.y)
    return [name for name, values in rows.columns.items() if again.columns[name] is values and name not in WEIGHTS]


def _of_rows(model: LikelihoodModel, z: Tensor) -> tuple[OfRows, OfRows]:
    """Log-likelihood and scores of rows at z."""
    return lambda many, _: model.row_loglike(z, many), lambda many, _: model.information_scores(z, many)


def _at(model: Any, kind: Seen, rule: Rule, rows: Data, eta: Tensor) -> tuple[Tensor, bool]:
    """The information (g, m, m) at linear predictors (m, g), and whether all of it is that of a distribution."""

    def predictors(each: Tensor) -> Eta:
        return tuple(eta[:, each])

    some = rows.take(torch.zeros(eta.shape[1], dtype=torch.long))
    products, amiss = _moments(
        model, kind, rule, some,
        lambda many, each: model.checked_loglike(model.values(predictors(each)), many),
        lambda many, each: torch.stack(model.eta_derivatives(predictors(each), many, 1)[1], 1),
    )  # fmt: skip
    return products, not amiss


def _moments(
    model: LikelihoodModel, kind: Seen, rule: Rule, rows: Data, loglike: OfRows, scores_of: OfRows
) -> tuple[Tensor, int]:
    """Outer products (n, m, m) of the scores of some rows, and in how many the responses are not those of a distribution."""
    found = rule(log_density_of(model, rows, kind, loglike), rows)
    scores = scores_of(*repeated(model, rows, kind, found.y)).reshape(*found.y.shape, -1)
    products, right = averaged(found, scores)
    return products, int((~right).sum())


def averaged(found: Responses, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Mean outer products (n, m, m) of scores (n, g, m), and in which rows the responses are those of a distribution."""
    chance, scores = _with_tails(found, scores)
    mean, products = (chance * scores).sum(1), (chance * scores).mT @ scores
    right = (chance.sum(1) - 1).abs()[:, 0] < MASS
    right &= (mean.square() <= MEAN**2 * products.diagonal(dim1=1, dim2=2)).all(1)
    return products, right


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
