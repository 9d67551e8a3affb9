"""Linear constraints and bounds: equal to the model in which they are written out, with every covariance."""

import numpy as np
import pandas as pd
import pytest
import torch
from problems import NAMES, PROBLEMS, fitted
from scipy import optimize, stats

import torchmle as tm
from torchmle.fitting.coordinates import eliminate

N = 400


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(11)
    df = pd.DataFrame(rng.normal(size=(N, 4)), columns=list("abcd"))
    eta = 0.2 + 0.3 * df["a"] + 0.25 * df["b"] - 0.2 * df["c"]
    return df.assign(
        y=rng.poisson(np.exp(eta)).astype(float), n=eta + rng.normal(size=N), ab=df["a"] + df["b"],
        off=-0.2 * df["c"], no=eta + 0.2 * df["c"], g=np.arange(N) // 8,
    )  # fmt: skip


KINDS = {
    "nonrobust": {}, "HC0": {}, "HC1": {}, "HC2": {}, "HC3": {}, "opg": {}, "eim": {}, "HAC": {"maxlags": 3},
    "cluster": {"groups": "g"},
}  # fmt: skip


def same(constrained, written, names):
    """Estimates, standard errors and statistics; `names` of the written-out model's parameters here."""
    np.testing.assert_allclose(constrained.params[names], written.params, rtol=1e-8)
    np.testing.assert_allclose(constrained.bse[names], written.bse, rtol=1e-8)
    covariance = constrained.cov_params().loc[names, names]
    np.testing.assert_allclose(covariance, written.cov_params(), rtol=1e-7, atol=1e-14)
    for name in ("llf", "aic", "bic", "df_resid", "df_model", "nobs", "scale"):
        assert getattr(constrained, name) == pytest.approx(getattr(written, name), rel=1e-10), name


@pytest.mark.parametrize("cov_type", KINDS)
def test_equal_and_fixed_coefficients_of_a_poisson(frame, cov_type):
    options = {"disp": False, "cov_type": cov_type, "cov_kwds": KINDS[cov_type]}
    written = tm.Poisson.from_formula("y ~ ab + d", frame, offset="off").fit(**options)
    constrained = tm.Poisson.from_formula("y ~ a + b + c + d", frame).fit(constraints="a = b, c = -0.2", **options)
    same(constrained, written, ["Intercept", "a", "d"])
    assert constrained.params["b"] == constrained.params["a"]
    assert constrained.bse["b"] == pytest.approx(constrained.bse["a"], rel=1e-14)
    assert constrained.params["c"] == -0.2 and constrained.bse["c"] == 0
    assert constrained.converged


@pytest.mark.parametrize("cov_type", KINDS)
def test_least_squares(frame, cov_type):
    options = {"cov_type": cov_type, "cov_kwds": KINDS[cov_type]}
    written = tm.OLS.from_formula("n ~ ab + c + d", frame).fit(**options)
    constrained = tm.OLS.from_formula("n ~ a + b + c + d", frame).fit(constraints="a = b", **options)
    same(constrained, written, ["Intercept", "a", "c", "d"])
    assert constrained.rsquared == pytest.approx(written.rsquared)
    assert constrained.fvalue == pytest.approx(written.fvalue)


@pytest.mark.parametrize("family", [tm.families.Poisson(), tm.families.Gaussian(tm.families.links.Identity())])
@pytest.mark.parametrize("scale", [None, "X2", 2.0])
def test_scale_is_applied_once(frame, family, scale):
    written = tm.GLM.from_formula("y ~ ab + c + d", frame, family=family).fit(scale=scale)
    model = tm.GLM.from_formula("y ~ a + b + c + d", frame, family=family)
    constrained = model.fit_constrained("a = b", scale=scale)
    same(constrained, written, ["Intercept", "a", "c", "d"])
    assert constrained.deviance == pytest.approx(written.deviance)
    assert constrained.null_deviance == pytest.approx(written.null_deviance)


def test_every_way_of_saying_it(frame):
    model = tm.Poisson.from_formula("y ~ a + b + c + d", frame)
    matrix = np.array([[0, 1, -1, 0, 0], [0, 0, 0, 1, 0]])
    first, *others = [
        model.fit(constraints=said, disp=False).params
        for said in ("a = b, c = 1", ["a - b = 0", "2*c = 2"], (matrix, [0, 1]), "a = b, c = 1, a - b + c = 1")
    ]
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-10)
    assert model.fit(constraints=matrix, disp=False).params["c"] == 0
    assert (model.fit(constraints="a=b", fix={"b": 0.1}, disp=False).params[["a", "b"]] == 0.1).all()


@pytest.mark.parametrize("method", ["newton", "bfgs", "nm", "trust-exact"])
def test_answers_do_not_depend_on_the_method(frame, method):
    model = tm.Poisson.from_formula("y ~ a + b + c + d", frame)
    reference = model.fit(constraints="a + 2*b = 1, c = d", disp=False)
    found = model.fit(constraints="a + 2*b = 1, c = d", method=method, disp=False)
    np.testing.assert_allclose(found.params, reference.params, rtol=1e-6)
    np.testing.assert_allclose(found.bse, reference.bse, rtol=1e-6)
    assert found.params["a"] + 2 * found.params["b"] == pytest.approx(1, abs=1e-14)


def test_columns_far_from_zero_and_of_other_scales(frame):
    far = frame.assign(u=1e9 + frame["a"], v=1e6 * frame["b"], w=frame["c"] - 500)
    written = tm.OLS.from_formula("n ~ u + c - 1", far.assign(c=far["c"])).fit()
    constrained = tm.OLS.from_formula("n ~ u + c", far).fit(constraints="Intercept = 0")
    np.testing.assert_allclose(constrained.params[["u", "c"]], written.params, rtol=1e-7)
    np.testing.assert_allclose(constrained.bse[["u", "c"]], written.bse, rtol=1e-6)
    tied = tm.OLS.from_formula("n ~ v + w + d", far).fit(constraints="w = 1000000 * v")
    sums = far.assign(vw=far["w"] + 1e-6 * far["v"])
    written = tm.OLS.from_formula("n ~ vw + d", sums).fit()
    same(tied, written, ["Intercept", "w", "d"])


def test_parameters_on_other_scales(frame):
    model = tm.Normal.from_formula("n ~ a + b", frame)
    found = model.fit(constraints="a = b, sigma = 1.5")
    assert found.params["sigma"] == pytest.approx(1.5, rel=1e-15) and found.bse["sigma"] == 0
    held = tm.Normal.from_formula("n ~ ab", frame).fit(fix={"sigma": 1.5})
    np.testing.assert_allclose(found.params[["Intercept", "a"]], held.params[["Intercept", "ab"]], rtol=1e-9)
    np.testing.assert_allclose(found.bse[["Intercept", "a"]], held.bse[["Intercept", "ab"]], rtol=1e-9)
    with pytest.raises(ValueError, match="not linear on the real line of a, sigma"):
        model.fit(constraints="sigma = a")


@pytest.mark.parametrize(
    ("said", "words"),
    [("a = b, a = b + 1", "contradict each other: a - b = 0, a - b = 1"), ("a = zz", "the parameters are")],
)
def test_constraints_that_cannot_be(frame, said, words):
    with pytest.raises(ValueError, match=words):
        tm.Poisson.from_formula("y ~ a + b", frame).fit(constraints=said, disp=False)


def test_what_results_say(frame):
    result = tm.Poisson.from_formula("y ~ a + b + c", frame).fit_constrained("a = b, c = 0.5", disp=False)
    assert str(result.constraints) == "a - b = 0\nc = 0.5"
    r, q = result.constraints
    np.testing.assert_array_equal(r, [[0, 1, -1, 0], [0, 0, 0, 1]])
    np.testing.assert_array_equal(q, [[0], [0.5]])
    assert result.k_constr == 2 and result.results_constrained is result
    assert "subject to linear equality constraints: a - b = 0, c = 0.5" in str(result.summary())
    free = tm.Poisson.from_formula("y ~ a + b + c", frame).fit(disp=False)
    assert not hasattr(free, "constraints") and free.k_constr == 0
    test = free.lr_test(result)
    assert test.df_diff == 2 and test.statistic == pytest.approx(2 * (free.llf - result.llf))


def test_constraints_are_saved(frame, tmp_path):
    result = tm.Poisson.from_formula("y ~ a + b + c", frame).fit_constrained("a = b", disp=False)
    result.save(tmp_path / "fit")
    again = tm.load(tmp_path / "fit")
    assert str(again.constraints) == "a - b = 0" and again.df_model == result.df_model
    np.testing.assert_array_equal(again.bse, result.bse)


def test_a_collinear_column_may_be_what_constraints_identify(frame):
    full = frame.assign(one=1.0 * (frame["g"] % 2 == 0), two=1.0 * (frame["g"] % 2 == 1))
    found = tm.Poisson.from_formula("y ~ a + one + two", full).fit(constraints="one + two = 0", disp=False)
    assert not found.dropped_columns
    coded = tm.Poisson.from_formula("y ~ a + C(two, Sum)", full).fit(disp=False)
    assert found.llf == pytest.approx(coded.llf)
    np.testing.assert_allclose(found.bse[["a", "one"]], coded.bse[["a", "C(two, Sum)[S.0.0]"]], rtol=1e-8)
    clash = full.assign(e=frame["a"] - frame["b"])
    identified = tm.Poisson.from_formula("y ~ a + b + e + c", clash).fit(constraints="e = c", disp=False)
    assert not identified.dropped_columns
    with pytest.warns(tm.errors.RankWarning, match="ab"):
        fewer = tm.Poisson.from_formula("y ~ a + b + ab + e + c", clash).fit(constraints="e = c", disp=False)
    assert fewer.llf == pytest.approx(identified.llf) and fewer.df_resid == identified.df_resid
    with pytest.raises(ValueError, match="leave ab, e undetermined"):
        tm.Poisson.from_formula("y ~ a + b + ab + e", clash).fit(constraints="ab = e", disp=False)


# -- every model -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", PROBLEMS, ids=NAMES)
def test_constraints_in_every_model(problem):
    free = fitted(problem)
    blocks = [block for block in free.model.layout.blocks if isinstance(block.transform, tm.Coefficients)]
    labels = [label for block in blocks[:1] for label in block.labels]
    if len(labels) < 2:
        pytest.skip("no two coefficients")
    one, other = (free.names.index(label) for label in labels[-2:])
    unit = np.eye(len(free.names))
    equal = free.model.fit(constraints=unit[[one]] - unit[[other]], disp=False)
    assert equal.params_array[one] == equal.params_array[other]
    assert equal.k_free == free.k_free - 1 and free.lr_test(equal).statistic >= 0 and equal.converged
    value = free.params_array[other] + 0.3 * free._bse[other]
    held = free.model.fit(constraints=(unit[[other]], [value]), disp=False)
    fixed = free.model.fit(fix={labels[-1]: value}, disp=False)
    np.testing.assert_allclose(held.params_array, fixed.params_array, rtol=1e-9)
    np.testing.assert_allclose(held._bse, fixed._bse, rtol=1e-9)
    # near the maximum the tests of one hypothesis agree: 0.3 standard errors squared
    ratio, score = free.lr_test(held).statistic, held.score_test().statistic
    np.testing.assert_allclose([ratio, score], 0.09, rtol=0.15)
    bounded = free.model.fit(bounds={labels[-1]: (value, None)}, disp=False)
    np.testing.assert_allclose(bounded.params_array, fixed.params_array, rtol=1e-7, atol=1e-10)
    assert list(bounded.at_bounds) == [labels[-1]]


# -- bounds ----------------------------------------------------------------------------------------------------


def test_bounds_hold_what_lies_beyond_them(frame):
    model = tm.Poisson.from_formula("y ~ a + b + c + d", frame)
    found = model.fit(bounds={"a": (None, 0.2), "c": (0, None), "b": (-1, 1)}, disp=False)
    fixed = model.fit(fix={"a": 0.2, "c": 0.0}, disp=False)
    assert found.at_bounds == {"a": 0.2, "c": 0.0}
    np.testing.assert_allclose(found.params, fixed.params, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.bse, fixed.bse, rtol=1e-9)
    assert (found.bse[["a", "c"]] == 0).all()
    assert found.df_resid == fixed.df_resid and found.aic == pytest.approx(fixed.aic)
    assert found.converged and "a, c" in found.optim.message
    assert "At a bound: a = 0.2, c = 0" in str(found.summary())
    robust = model.fit(bounds={"c": (0, None)}, cov_type="HC1", disp=False)
    np.testing.assert_allclose(robust.bse, model.fit(fix={"c": 0.0}, cov_type="HC1", disp=False).bse, rtol=1e-9)


def test_bounds_that_do_not_bind_change_nothing(frame):
    model = tm.OLS.from_formula("n ~ a + b + c", frame)
    found, free = model.fit(bounds={"a": (0, 1), "c": (None, 0)}), model.fit()
    np.testing.assert_array_equal(found.params, free.params)
    np.testing.assert_array_equal(found.bse, free.bse)
    assert found.at_bounds == {}


@pytest.mark.parametrize("seed", range(8))
def test_nonnegative_least_squares(seed):
    """Against Lawson and Hanson, with correlated columns, where what to hold must be found out."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, 12)) + 2 * rng.normal(size=(60, 1))
    y = x @ rng.normal(size=12) + rng.normal(size=60)
    found = tm.OLS(y, x).fit(bounds=[(0, None)] * 12)
    expected, _ = optimize.nnls(x, y)
    np.testing.assert_allclose(found.params, expected, atol=1e-9)
    assert found.df_resid == 60 - (expected > 0).sum()


@pytest.mark.parametrize("seed", range(4))
def test_bounded_poisson_against_scipy(seed):
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(80), rng.normal(size=(80, 5)) + rng.normal(size=(80, 1))])
    y = rng.poisson(np.exp(0.3 * x @ rng.normal(size=6))).astype(float)
    model = tm.Poisson(y, x)
    limits = [(None, None), *[(-0.1, 0.1)] * 5]
    peer = optimize.minimize(
        lambda b: -model.loglike(b), np.zeros(6), jac=lambda b: -model.score(b), bounds=limits, method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 5000},
    )  # fmt: skip
    found = model.fit(bounds=limits, disp=False)
    np.testing.assert_allclose(found.params, peer.x, atol=2e-6)
    score = model.score(found.params)
    low, high = found.params == -0.1, found.params == 0.1
    assert (score[low] <= 0).all() and (score[high] >= 0).all()
    np.testing.assert_allclose(score[~low & ~high], 0, atol=1e-7)


def test_bounds_with_constraints_and_on_other_scales(frame):
    model = tm.Normal.from_formula("n ~ a + b + c + d", frame)
    found = model.fit(constraints="a = b", bounds={"b": (None, 0.1), "sigma": (1.5, None)})
    fixed = model.fit(fix={"a": 0.1, "b": 0.1, "sigma": 1.5})
    np.testing.assert_allclose(found.params, fixed.params, rtol=1e-8, atol=1e-10)
    assert found.at_bounds == {"b": pytest.approx(0.1), "sigma": pytest.approx(1.5)}
    free = model.fit(bounds={"sigma": (0, None)})
    assert free.at_bounds == {}


def test_a_bound_makes_separated_data_estimable():
    x = np.linspace(-1, 1, 40)
    y = (x > 0).astype(float)
    found = tm.Logit(y, np.column_stack([np.ones(40), x])).fit(bounds=[(None, None), (-5, 5)], disp=False)
    assert found.params[1] == 5 and found.converged
    np.testing.assert_allclose(found.params[0], 0, atol=1e-9)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"zz": (0, 1)}, "no parameter 'zz'"),
        ({"a": (1, 0)}, "'a' has no room between 1 and 0"),
        ([(0, 1)], "has 1 pairs; there are 3"),
    ],
)
def test_bounds_that_cannot_be(frame, bounds, words):
    with pytest.raises(ValueError, match=words):
        tm.Poisson.from_formula("y ~ a + b", frame).fit(bounds=bounds, disp=False)


# -- equations -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_elimination_keeps_the_solutions(seed):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-2, 3, size=(4, 6)).astype(float)
    matrix[3] = matrix[0] - 2 * matrix[1]
    solution = rng.normal(size=6)
    reduced, right, pivots, rest = eliminate(torch.from_numpy(matrix), torch.from_numpy(matrix @ solution))
    assert len(reduced) == np.linalg.matrix_rank(matrix)
    np.testing.assert_allclose(reduced.numpy() @ solution, right, atol=1e-12)
    np.testing.assert_allclose(reduced[:, pivots], np.eye(len(pivots)), atol=1e-12)
    np.testing.assert_allclose(rest, 0, atol=1e-12)


def test_a_ratio_to_a_model_that_the_restrictions_rule_out_is_no_test():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.normal(size=(150, 2)), columns=["a", "b"])
    frame["y"] = (rng.random(150) < 1 / (1 + np.exp(-frame["a"]))).astype(int)
    model = tm.Logit.from_formula("y ~ a + b", frame)
    for told in ({"fix": {"a": 0.3}}, {"fix": {"Intercept": 0.0}}, {"constraints": "a + b = 1"}):
        res = model.fit(disp=False, **told)
        assert np.isnan(res.llr_pvalue)
        assert res.overall_test.kind == "Wald" and 0 <= res.overall_test.pvalue <= 1
    for told in ({"fix": {"a": 0.0}}, {"constraints": "a = b"}):
        res = model.fit(disp=False, **told)
        assert res.overall_test.kind == "LR" and res.llr_df == 1
        assert res.llr_pvalue == pytest.approx(stats.chi2.sf(2 * (res.llf - res.llnull), 1))


def test_margins_of_what_is_fixed_come_without_warnings():
    frame = pd.DataFrame(np.random.default_rng(6).normal(size=(50, 3)), columns=["y", "a", "b"])
    margins = tm.OLS.from_formula("y ~ a + b", frame).fit(fix={"a": 0.3}).get_margeff()
    assert margins.margeff[0] == pytest.approx(0.3) and margins.margeff_se[0] == 0 and np.isnan(margins.tvalues[0])


@pytest.mark.parametrize("seed", range(3))
def test_a_held_value_far_from_where_the_search_starts(seed):
    """Inverse Gaussian, log link: flat where means are large, as they are at the model's start with another slope of x."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=30), rng.uniform(-1, 1, 30)
    df = pd.DataFrame({"x": 50 + x, "z": z, "off": x, "y": rng.wald(np.exp(0.7 + 0.4 * x - 0.5 * z), 4)})
    family = tm.families.InverseGaussian(tm.families.links.Log())
    model = tm.GLM.from_formula("y ~ x + z", df, family=family)
    res, shifted = model.fit(), tm.GLM.from_formula("y ~ z", df, family=family, offset="off").fit()
    expected = (shifted.deviance - res.deviance) / res.scale
    for held in (model.fit(fix={"x": 1.0}), model.fit(constraints="x = 1")):
        assert held.converged
        assert (held.deviance - res.deviance) / res.scale == pytest.approx(expected, rel=1e-8)
    assert res.lr_test("x = 1").statistic == pytest.approx(expected, rel=1e-8)
