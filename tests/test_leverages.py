"""HC2 and HC3 of models with several predictors: against their definition written out with scipy, and against least squares."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch
from problems import BY_NAME, LIKELIHOODS, fitted
from scipy import linalg, special

import torchmle as tm
from torchmle.compute import differences
from torchmle.covariance import leverage

KINDS = ("HC2", "HC3")
# second derivatives by five-point differences over 0.02 standard errors: 1e-7 cut off, 1e-10 rounded
DIFFERENCES = 1e-5
EXACT = 1e-9  # the same algebra another way


def close(actual, expected, tolerance):
    """Covariances agree in units of standard errors."""
    actual, expected = np.asarray(actual, float), np.asarray(expected, float)
    unit = np.sqrt(np.diag(expected))
    unit = np.where(unit > 0, unit, 1.0)
    assert actual.shape == expected.shape and np.isfinite(actual).all()
    assert (np.abs(actual - expected) <= tolerance * np.outer(unit, unit)).all()


def stencil(function, x, i, j, steps):
    """Second derivatives of rows in two coordinates, by five-point first differences of five-point first differences."""
    weights, places = np.array([1, -8, 8, -1]) / 12, (-2, -1, 1, 2)
    unit, total = np.diag(steps), 0.0
    for a, p in zip(weights, places, strict=True):
        for b, q in zip(weights, places, strict=True):
            total = total + a * b * function(x + p * unit[i] + q * unit[j])
    return total / (steps[i] * steps[j])


def row_derivatives(function, x, steps):
    """Scores (n, k) and second derivatives (n, k, k) of rows, by central differences."""
    k = len(x)
    first = []
    for step in np.diag(steps):
        at = [function(x + i * step) for i in (-2, -1, 1, 2)]
        first.append((at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step.max()))
    second = np.empty((len(first[0]), k, k))
    for i in range(k):
        for j in range(i + 1):
            second[:, i, j] = second[:, j, i] = stencil(function, x, i, j, steps)
    return np.column_stack(first), second


def adjusted(kind, score, share, bread):
    """A row's score ``f(I - A_i V) s_i``: by Woodbury the step to the estimate without the row; scipy's principal root."""
    inner = np.eye(len(bread)) - share @ bread
    return linalg.solve(inner if kind == "HC3" else linalg.sqrtm(inner).real, score)


def definition(kind, scores, shares, bread, counts=None):
    """The sandwich of adjusted scores."""
    counts = np.ones(len(scores)) if counts is None else counts
    filling = sum(
        n * np.outer(s, s)
        for n, s in zip(counts, (adjusted(kind, *row, bread) for row in zip(scores, shares, strict=True)), strict=True)
        if n
    )
    return bread @ filling @ bread


def free_entries(res):
    """Entries of theta that were estimated."""
    held = {*res.fit.coordinates.fixed, *res.fit.coordinates.boundary, *res.fit.coordinates.dropped}
    return [i for i in range(res.model.layout.size) if i not in held]


def pieces(problem, res, df):
    """Scores and information shares in theta from the likelihood written down in `problems`, and d reported / d theta."""
    layout, theta = res.model.layout, res.fit.theta.numpy()
    free, held = free_entries(res), problem.held(res)

    def full(point):
        at = theta.copy()
        at[free] = point
        return at

    def natural(point):
        return layout.natural(torch.as_tensor(full(point))).numpy()

    def rows(point):
        return np.asarray(problem.rows(df, dict(zip(res.names, natural(point), strict=True)), **held))

    hc0 = res.with_covariance("HC0").covariance_z
    uncentre = res.fit.coordinates.uncentre
    hc0 = hc0 if uncentre is None else uncentre @ hc0 @ uncentre.T
    steps = 0.02 * np.sqrt(np.diag(hc0.numpy())[free])
    scores, second = row_derivatives(rows, theta[free], steps)
    jacobian = row_derivatives(natural, theta[free], steps)[0]
    return scores, -second, jacobian


@pytest.mark.parametrize("problem", LIKELIHOODS, ids=repr)
def test_of_every_model_by_its_definition(problem):
    res = fitted(problem)
    scores, shares, jacobian = pieces(problem, res, problem.frame())
    bread = np.linalg.inv(shares.sum(0))
    for kind in KINDS:
        expected = jacobian @ definition(kind, scores, shares, bread) @ jacobian.T
        close(res.with_covariance(kind).covariance_array, expected, DIFFERENCES)


@pytest.mark.parametrize("name", ["poisson", "negbin-2", "mnlogit", "normal-sigma", "mixture"])
@pytest.mark.parametrize("weights", ["freq_weights", "sampling_weights"])
def test_of_weighted_rows_by_its_definition(name, weights):
    problem = BY_NAME[name]
    df = problem.frame()
    res = problem.fit(df, **{weights: "counts"})
    scores, shares, jacobian = pieces(problem, res, df)
    count = df["counts"].to_numpy()
    bread = np.linalg.inv((shares * count[:, None, None]).sum(0))
    if weights == "sampling_weights":  # part of the score: a row of weight 2 is one row
        scores, shares, count = scores * count[:, None], shares * count[:, None, None], None
    for kind in KINDS:
        expected = jacobian @ definition(kind, scores, shares, bread, count) @ jacobian.T
        close(res.with_covariance(kind).covariance_array, expected, DIFFERENCES)


def test_without_a_row_one_step_of_newton_makes_hc3():
    """The changes of the estimate, each from a fit to the other rows that is stopped after one step."""
    df = BY_NAME["negbin-2"].frame(n=60)
    res = BY_NAME["negbin-2"].fit(df)
    model, total = res.model, np.zeros((4, 4))
    start = res.fit.z
    for i in range(60):
        rows = model.rows.take(torch.tensor([j for j in range(60) if j != i]))
        _, score, hessian = model.sums(start, 2, rows)
        change = torch.linalg.solve(-hessian, score).numpy()
        total += np.outer(change, change)
    close(res.with_covariance("HC3").covariance_z, total, EXACT)


# -- least squares twice ---------------------------------------------------------------------------------------


class Pair(tm.RegressionModel):
    """Two independent responses of variances 4 and 0.25, each with a design of its own."""

    parameters = {"one": tm.Identity(), "two": tm.Identity()}
    row_arguments = ("second",)

    def loglike_obs(self, p, data):
        return -0.5 * ((data.y - p.one) ** 2 / 4 + (data.second - p.two) ** 2 / 0.25)


class FreePair(tm.LikelihoodModel):
    """The same without linear predictors: coefficients of the one design and three free-standing parameters."""

    parameters = {"one": tm.Coefficients(), "a": tm.Identity(), "b": tm.Identity(), "c": tm.Identity()}
    row_arguments = ("second", "u", "v")

    def loglike_obs(self, p, data):
        two = p.a + p.b * data.u + p.c * data.v
        return -0.5 * ((data.y - data.X @ p.one) ** 2 / 4 + (data.second - two) ** 2 / 0.25)


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(3)
    n = 40
    df = pd.DataFrame({"x": rng.standard_t(3, n), "u": rng.normal(size=n), "v": rng.exponential(size=n)})
    return df.assign(y=1 + df["x"] + rng.normal(size=n), second=df["u"] - df["v"] + rng.normal(size=n) * (1 + df["v"]))


def two_regressions(df, kind):
    """What least squares of each response says, and the block between them."""
    designs = [sm.add_constant(df[names]).to_numpy() for names in (["x"], ["u", "v"])]
    fits = [sm.OLS(df[y], x).fit() for y, x in zip(("y", "second"), designs, strict=True)]
    changes = []
    for x, fit in zip(designs, fits, strict=True):
        free = (1 - fit.get_influence().hat_matrix_diag) ** {"HC2": 0.5, "HC3": 1.0}[kind]
        changes.append(x * (fit.resid.to_numpy() / free)[:, None] @ np.linalg.inv(x.T @ x))
    between = changes[0].T @ changes[1]
    own = [getattr(fit, f"cov_{kind}") for fit in fits]
    return np.block([[own[0], between], [between.T, own[1]]])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [Pair, FreePair])
def test_of_two_regressions_at_once_is_that_of_each(pair, model, kind):
    told = {"two": "~ u + v"} if model is Pair else {"u": "u", "v": "v"}
    res = model.from_formula("y ~ x", pair, second="second", **told).fit(cov_type=kind)
    close(res.cov_params(), two_regressions(pair, kind), EXACT)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [Pair, FreePair])
def test_rows_in_small_blocks_are_the_same(pair, model, kind, monkeypatch):
    told = {"two": "~ u + v"} if model is Pair else {"u": "u", "v": "v"}
    res = model.from_formula("y ~ x", pair, second="second", **told).fit()
    monkeypatch.setattr(leverage, "NUMBERS", 5 * res.model.predictor_count**2)
    assert leverage.rows_at_once(res.model) == 5
    close(res.with_covariance(kind).cov_params(), two_regressions(pair, kind), EXACT)


@pytest.mark.parametrize("name", ["negbin-2", "ordered-logit", "mnlogit", "mixture", "normal-sigma"])
def test_leverages_add_up_to_the_parameters(name):
    res = fitted(BY_NAME[name])
    block = res.model.rows.block(slice(0, res.model.rows.n))
    found = res.model.block_leverage(res.fit.z, block, res.fit.bread)
    assert float(found.sum()) == pytest.approx(res.k_free, rel=1e-9)


# -- special cases ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_expected_leverages_of_a_normal_regression(kind):
    """Convention R: W is diag(1 / sigma^2, 2), and so is the information."""
    problem = BY_NAME["normal-sigma"]
    df, res = problem.frame(), fitted(problem)
    x, w = (np.column_stack([np.ones(len(df)), *(df[name] for name in names)]) for names in (["x", "w"], ["w"]))
    sigma = np.exp(w @ res.params_array[3:])
    z = (df["y"].to_numpy() - x @ res.params_array[:3]) / sigma
    scores = np.column_stack([x * (z / sigma)[:, None], w * (z**2 - 1)[:, None]])
    shares = np.array([
        linalg.block_diag(np.outer(a, a) / s**2, 2 * np.outer(b, b)) for a, b, s in zip(x, w, sigma, strict=True)
    ])  # fmt: skip
    expected = definition(kind, scores, shares, np.linalg.inv(shares.sum(0)))
    close(res.with_covariance(kind, {"convention": "R"}).cov_params(), expected, 1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_a_dispersion_at_its_boundary_leaves_the_poisson_model(kind):
    rng = np.random.default_rng(0)
    df = pd.DataFrame({"x": rng.normal(size=80), "y": rng.binomial(8, 0.5, 80)})
    with pytest.warns(tm.errors.BoundaryWarning):
        res = tm.NegativeBinomial.from_formula("y ~ x", df).fit(disp=False, cov_type=kind)
    poisson = tm.Poisson.from_formula("y ~ x", df).fit(disp=False, cov_type=kind)
    np.testing.assert_allclose(res.bse[:2], poisson.bse, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["NegativeBinomial", "Normal"])
def test_a_row_with_a_dummy_of_its_own_is_refused(name, kind):
    problem = BY_NAME["negbin-2"]
    df = problem.frame().assign(own=lambda df: (df.index == 7).astype(float))
    assert df["y"][7] > 0
    res = getattr(tm, name).from_formula("y ~ x + own", df).fit(disp=False)
    with pytest.raises(ValueError, match="1 rows have a leverage of 1 or more.*HC1"):
        _ = res.with_covariance(kind).bse
    assert np.isfinite(res.with_covariance("HC1").bse).all()


@pytest.mark.parametrize("kind", KINDS)
def test_units_of_the_response_do_not_matter(kind):
    """The predictors of a row differ by eighteen orders of magnitude."""
    df = BY_NAME["normal-sigma"].frame()
    one = tm.Normal.from_formula("y ~ x", df, sigma="~ w").fit(cov_type=kind)
    other = tm.Normal.from_formula("y ~ x", df.assign(y=1e18 * df["y"]), sigma="~ w").fit(cov_type=kind)
    np.testing.assert_allclose(other.bse.to_numpy() / [1e18, 1e18, 1, 1], one.bse, rtol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_conditional_logit_by_its_definition(kind):
    """Its rows are groups: enumerated sets of two out of five."""
    rng = np.random.default_rng(2)
    x, group = rng.normal(size=(75, 2)), np.repeat(np.arange(15), 5)
    y = np.concatenate(
        [rng.permutation([1, 1, 0, 0, 0]) if g % 2 else rng.permutation([1, 1, 1, 1, 0]) for g in range(15)]
    )
    res = tm.ConditionalLogit(y, x, groups=group).fit(disp=False)
    scores, shares = [], []
    for g in range(15):
        members, chosen = x[group == g], y[group == g]
        masks = np.array([[(code >> i) & 1 for i in range(5)] for code in range(32)])
        sums = masks[masks.sum(1) == chosen.sum()] @ members
        p = special.softmax(sums @ res.params)
        scores.append(chosen @ members - p @ sums)
        shares.append((sums - p @ sums).T @ ((sums - p @ sums) * p[:, None]))
    bread = np.linalg.inv(np.sum(shares, 0))
    close(res.with_covariance(kind).cov_params(), definition(kind, np.array(scores), np.array(shares), bread), EXACT)


# -- likelihoods of one's own ----------------------------------------------------------------------------------


class InTorch(tm.GenericLikelihoodModel):
    def loglikeobs(self, params):
        eta, y = torch.as_tensor(self.exog) @ params, torch.as_tensor(self.endog)
        return y * eta - torch.exp(eta) - torch.lgamma(y + 1)


class InNumpy(tm.GenericLikelihoodModel):
    def loglikeobs(self, params):
        eta = self.exog @ params
        return self.endog * eta - np.exp(eta) - special.gammaln(self.endog + 1)


class WithScores(InNumpy):
    def score_obs(self, params):
        return self.exog * (self.endog - np.exp(self.exog @ params))[:, None]


class InTotal(tm.GenericLikelihoodModel):
    def loglike(self, params):
        return InTorch.loglikeobs(self, params).sum()


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(5)
    x = sm.add_constant(rng.normal(size=(90, 2)))
    return rng.poisson(np.exp(x @ [0.4, 0.3, -0.2])).astype(float), x


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("model", "tolerance"), [(InTorch, 1e-8), (InNumpy, 1e-5), (WithScores, 1e-5)])
@pytest.mark.filterwarnings("ignore::torchmle.errors.DifferencesWarning")
def test_of_a_likelihood_of_ones_own_is_that_of_the_model(counts, model, tolerance, kind):
    res = model(*counts).fit(disp=False, method="newton", cov_type=kind)
    close(res.cov_params(), tm.Poisson(*counts).fit(disp=False, cov_type=kind).cov_params(), tolerance)


def test_of_a_likelihood_without_rows_is_refused(counts):
    with pytest.raises(ValueError, match="gives the log-likelihood of all rows together"):
        _ = InTotal(*counts).fit(disp=False, cov_type="HC3").bse


def test_second_differences_of_rows():
    x = np.array([0.3, -1.2])
    found = differences.row_hessians(lambda p: np.array([np.exp(p[0] * p[1]), p[0] ** 2]), x, np.array([1e-3, 1e-3]))
    a, b = x
    e = np.exp(a * b)
    expected = [[[b * b * e, (1 + a * b) * e], [(1 + a * b) * e, a * a * e]], [[2.0, 0.0], [0.0, 0.0]]]
    np.testing.assert_allclose(found, expected, atol=1e-8)
