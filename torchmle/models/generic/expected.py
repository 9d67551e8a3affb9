"""The expected information of a log-likelihood of the parameters that reads its response from ``self.endog``."""

from __future__ import annotations

import copy
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from ...inference.expected import averaged, no_distribution, refuse_what_is_known
from ...inference.limited import limited
from ...inference.predictions.by_numbers import seen
from ...inference.responses import rules

REFUSALS = (IndexError, KeyError, RuntimeError, ValueError)  # of a response, by what is written for those seen


def expected_information(model: Any, z: Tensor) -> Tensor:
    """Outer products of the scores of all rows, averaged over the responses that each could have had, (k, k).

    A copy of the model is given other responses, one for each row at a time; so its log-likelihood must read them from
    ``self.endog`` when it is called.  One that does not is no probability of them, and is refused.
    """
    refuse_what_is_known(model)
    other, kind = copy.copy(model), seen(model.rows.y)
    values, scores = _evaluated(other, z)
    for rule in chain(rules(kind), limited(kind, model.rows)):
        found = rule(values, model.rows)
        if bool((found.chance.sum(1) - 1).abs().lt(1e-3).all()):
            products, right = averaged(found, scores(found.y))
            if bool(right.all()):
                return products.sum(0)
    raise no_distribution(model, "exp(loglikeobs(params)), for every response that self.endog could hold,")


def _evaluated(other: Any, z: Tensor) -> tuple[Any, Any]:
    """Log-likelihood (n, g) and scores (n, g, k) of responses (n, g), the one minus infinity where they are refused."""
    evaluation = other._choose(z)[0]

    def values(y: Tensor) -> Tensor:
        found = torch.full_like(y, -torch.inf)
        for j, column in enumerate(y.T):
            other.endog = column.contiguous().numpy()
            try:
                found[:, j] = evaluation.rows(z)
            except REFUSALS:
                continue
        return found.nan_to_num(-torch.inf, posinf=torch.inf, neginf=-torch.inf)

    def scores(y: Tensor) -> Tensor:
        found = []
        for column in y.T:
            other.endog = column.contiguous().numpy()
            found.append(evaluation.row_scores(z))
        return torch.stack(found, 1)

    return values, scores
