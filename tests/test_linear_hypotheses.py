"""Likelihood-ratio and score tests of hypotheses in words, as matrices and by nested fits, for every model."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from problems import BY_NAME, PROBLEMS, fitted
from scipy import optimize, special, stats

import torchmle as tm
from torchmle.families.links import Log, Probit

DATA = Path(__file__).parent / "reference" / "data"
# R 4.2.2: a <- glm(small), b <- glm(large), epsilon = 1e-15; anova(a, b, test = "Rao")$Rao, anova(a, b)$Deviance.  R's are
# before division by the dispersion, that of the larger model.
RAO = [
    ("warpbreaks", tm.families.Poisson(), "breaks ~ wool", " + tension", 72.2697368561952, 70.9415705080434),
    ("infert", tm.families.Binomial(), "case ~ spontaneous", " + induced + age", 4.78981481081775, 4.72482790874608),
    (
        "infert",
        tm.families.Binomial(Probit()),
        "case ~ spontaneous",
        " + induced + age",
        5.07161188552206,
        4.98017808627134,
    ),
    (
        "trees",
        tm.families.Gamma(Log()),
        "Volume ~ np.log(Girth)",
        " + np.log(Height)",
        0.196187286248847,
        0.200568608534891,
    ),
]


@pytest.mark.parametrize(("data", "family", "formula", "more", "rao", "ratio"), RAO)
def test_as_r_says(data, family, formula, more, rao, ratio):
    df = pd.read_csv(DATA / f"{data}.csv")
    small, large = (tm.GLM.from_formula(text, df, family=family).fit(tol=1e-14) for text in (formula, formula + more))
    new = [name for name in large.names if name not in small.names]
    words, matrix = ", ".join(f"{name} = 0" for name in new), np.eye(len(large.names))[-len(new) :]
    assert [large.names.index(name) for name in new] == matrix.argmax(1).tolist()
    options = {"observed": False, "scale": large.scale}
    for test in (
        large.score_test(words, **options),
        large.score_test(words.split(", "), **options),
        large.score_test(matrix, **options),
        large.score_test((matrix, np.zeros(len(new))), **options),
        large.score_test(small, **options),
        small.score_test(large, **options),
        large.score_test(r_matrix=words, **options),
    ):
        assert test.statistic == pytest.approx(rao / large.scale, rel=1e-8)
        assert test.pvalue == pytest.approx(stats.chi2.sf(rao / large.scale, len(new)), rel=1e-6)
        assert test.k_constraint == len(new)
    for test in (large.lr_test(words), large.lr_test(matrix), large.lr_test((matrix, 0)), large.lr_test(small)):
        assert test.statistic == pytest.approx(ratio / large.scale, rel=1e-8)
        assert test.pvalue == pytest.approx(stats.chi2.sf(ratio / large.scale, len(new)), rel=1e-6)
        assert test.df_diff == len(new)


@pytest.mark.parametrize("problem", PROBLEMS, ids=repr)
def test_of_every_model_by_its_parts(problem):
    """One value: the fit that holds it says both; the score by ``s' I^-1 s`` at that fit."""
    res = fitted(problem)
    name = next((name for name in res.names if name.endswith("x") or name.endswith("[x]")), res.names[0])
    value = round(float(res.params_array[res.names.index(name)] + res._bse[res.names.index(name)]), 3)
    held = problem.build(problem.frame()).fit(
        **{"disp": False, **problem.fitting, "fix": {**problem.fitting.get("fix", {}), name: value}}
    )
    ratio = res.lr_test(f"{name} = {value}")
    assert ratio.df_diff == 1 and ratio.statistic == pytest.approx(res.twice_log_ratio(held), rel=1e-6, abs=1e-7)
    _, score, hessian = res.model.sums(held.fit.z, 2)
    free = torch.eye(len(score)).double() if res.fit.coordinates.basis is None else res.fit.coordinates.basis
    score, information = free.T @ score, free.T @ -hessian @ free
    expected = float(score @ torch.linalg.solve(information, score)) / held.scale
    assert res.score_test(f"{name} = {value}").statistic == pytest.approx(expected, rel=1e-6)


@pytest.fixture(scope="module")
def df():
    return BY_NAME["poisson"].frame().assign(z=lambda df: np.sin(np.arange(len(df))))


def poisson(formula, df, **more):
    fitting = {name: more.pop(name) for name in ("fix", "constraints", "bounds", "cov_type") if name in more}
    return tm.Poisson.from_formula(formula, df, **more).fit(disp=False, **fitting)


def agree(one, other, rel=1e-8):
    np.testing.assert_allclose([one.statistic, one.pvalue], [other.statistic, other.pvalue], rtol=rel)


def test_several_equations_are_a_narrower_design(df):
    """x = w and z = 0.2: a column of sums, and an offset."""
    full = poisson("y ~ x + w + z", df)
    narrow = poisson("y ~ I(x + w)", df, offset=0.2 * df["z"])
    ratio = full.lr_test("x = w, z = 0.2")
    assert ratio.df_diff == 2 and ratio.statistic == pytest.approx(2 * (full.llf - narrow.llf), rel=1e-9)
    x = np.column_stack([np.ones(len(df)), df[["x", "w", "z"]]])
    mu = np.exp(narrow.params_array[0] + narrow.params_array[1] * (df["x"] + df["w"]) + 0.2 * df["z"]).to_numpy()
    score = x.T @ (df["y"].to_numpy() - mu)
    expected = score @ np.linalg.solve(x.T * mu @ x, score)
    for hypothesis in ("x = w, z = 0.2", ["x - w", "z = 0.2"], ([[0, 1, -1, 0], [0, 0, 0, 1]], [0, 0.2])):
        assert full.score_test(hypothesis).statistic == pytest.approx(expected, rel=1e-9)
    assert full.score_test("x = w, z = 0.2, 2*x = 2*w").k_constraint == 2
    assert full.lr_test("x = w, z = 0.2, 2*x = 2*w").df_diff == 2


def test_beside_what_the_fit_obeys_already(df):
    held, offset = poisson("y ~ x + w + z", df, fix={"w": -0.2}), poisson("y ~ x + z", df, offset=-0.2 * df["w"])
    agree(held.lr_test("x = 0.3"), offset.lr_test("x = 0.3"))
    agree(held.score_test(r_matrix="x = 0.3"), offset.score_test("x = 0.3"))
    agree(held.score_test("x = 0.3", cov_type="HC0"), offset.score_test("x = 0.3", cov_type="HC0"))
    equal, summed = poisson("y ~ x + w + z", df, constraints="x = w"), poisson("y ~ I(x + w) + z", df)
    agree(equal.lr_test("x = 0, z = 0.1"), summed.lr_test("I(x + w) = 0, z = 0.1"))
    agree(equal.score_test("w = 0, z = 0.1"), summed.score_test("I(x + w) = 0, z = 0.1"))
    assert equal.lr_test("x = 0, w = 0").df_diff == 1 and equal.score_test("x = 0, w = 0").k_constraint == 1
    agree(equal.score_test(), poisson("y ~ x + w + z", df).score_test("x = w"))


def test_a_covariance_held_as_a_whole():
    df = BY_NAME["mvnormal-x"].frame()
    cov = [[1.0, 0.5], [0.5, 1.2]]
    held = tm.MVNormal.from_formula("a + b ~ x", df).fit(fix={"cov": cov})
    alone = tm.MVNormal.from_formula("a + b ~ 1", df.assign(a=df["a"] - 0.3 * df["x"], b=df["b"])).fit(fix={"cov": cov})
    free = tm.MVNormal.from_formula("a + b ~ 1", df).fit(fix={"cov": cov})
    assert free.llf != alone.llf
    ratio = held.lr_test("a[x] = 0.3, b[x] = 0")
    assert ratio.statistic == pytest.approx(2 * (held.llf - alone.llf), rel=1e-8)
    np.testing.assert_allclose(
        ratio.statistic, held.wald_test("a[x] = 0.3, b[x] = 0").statistic, rtol=1e-8
    )  # a quadratic
    np.testing.assert_allclose(ratio.statistic, held.score_test("a[x] = 0.3, b[x] = 0").statistic, rtol=1e-8)


def test_columns_are_still_columns(df):
    res = poisson("y ~ x", df)
    agree(res.score_test("z"), poisson("y ~ x + z", df).score_test("z = 0"))
    agree(res.score_test(["z", "w"]), poisson("y ~ x + z + w", df).score_test("z = 0, w = 0"))
    agree(res.score_test(df["z"].to_numpy()), res.score_test("z"))
    agree(res.score_test(df[["z", "w"]]), res.score_test(["z", "w"]))
    agree(res.score_test((df[["z"]].to_numpy(),)), res.score_test("z"))
    two = poisson("y ~ x", df.iloc[:2].assign(y=[1.0, 3.0]), missing="none")
    with pytest.raises(ValueError, match="not positive definite"):
        two.score_test(np.eye(2))  # two rows of two columns, in a model of two parameters
    odd = poisson("y ~ x", df.assign(**{"z = 0": df["z"]}))
    agree(odd.score_test("z = 0"), res.score_test("z"))


def test_robust_errors(df):
    full = poisson("y ~ x + w", df)
    robust = poisson("y ~ x + w", df, cov_type="HC0")
    agree(robust.score_test("w = 0"), full.score_test("w = 0", cov_type="HC0"))
    agree(robust.score_test("w = 0"), poisson("y ~ x", df).score_test("w", cov_type="HC0"))
    with pytest.raises(ValueError, match="robust .*use wald_test, or force=True"):
        robust.lr_test("w = 0")
    agree(robust.lr_test("w = 0", force=True), full.lr_test("w = 0"))


def test_a_quasi_likelihood_has_no_ratio(df):
    res = tm.Poisson.from_formula("y ~ x + w", df.assign(y=df["y"] + 0.5)).fit(disp=False)
    assert res.is_quasi
    with pytest.raises(ValueError, match="quasi-likelihood.*wald_test or score_test"):
        res.lr_test("x = 0")
    assert res.lr_test("x = 0", force=True).statistic > 0


def test_other_informations_of_an_ill_conditioned_design():
    """Least squares of log-volumes on uncentred logs: the inverse is of the information that was asked for."""
    df = pd.read_csv(DATA / "trees.csv")
    res = tm.GLM.from_formula("Volume ~ np.log(Girth) + np.log(Height)", df, family=tm.families.Gamma(Log())).fit()
    small = tm.GLM.from_formula("Volume ~ np.log(Girth)", df, family=tm.families.Gamma(Log())).fit(tol=1e-14)
    x = np.column_stack([np.ones(31), np.log(df[["Girth", "Height"]])])
    share = df["Volume"].to_numpy() / np.exp(x[:, :2] @ small.params_array)
    scores = x * (share - 1)[:, None]
    score, robust = scores.sum(0), scores.T @ scores
    informations = {"observed": (x.T * share) @ x, "expected": x.T @ x, "opg": robust}
    by_hand = {name: score @ np.linalg.solve(matrix, score) for name, matrix in informations.items()}
    test, hypothesis = res.score_test, "np.log(Height) = 0"
    assert test(hypothesis, scale=1.0).statistic == pytest.approx(by_hand["observed"], rel=1e-8)
    assert test(hypothesis, scale=1.0, observed=False).statistic == pytest.approx(by_hand["expected"], rel=1e-8)
    assert test(hypothesis, scale=1.0, cov_type="eim").statistic == pytest.approx(by_hand["expected"], rel=1e-8)
    assert test(hypothesis, cov_type="opg").statistic == pytest.approx(by_hand["opg"], rel=1e-8)


def test_a_dispersion_at_its_boundary(df):
    """Free again under the hypothesis or not, the equations are what is counted."""
    rng = np.random.default_rng(0)
    some = pd.DataFrame({"x": rng.normal(size=80), "y": rng.binomial(8, 0.5, 80)})
    with pytest.warns(tm.errors.BoundaryWarning):
        res = tm.NegativeBinomial.from_formula("y ~ x", some).fit(disp=False)
    with pytest.warns(tm.errors.BoundaryWarning):
        ratio = res.lr_test("x = 0")
    other = tm.Poisson.from_formula("y ~ x", some).fit(disp=False).lr_test("x = 0")
    assert ratio.df_diff == other.df_diff == 1 and ratio.statistic == pytest.approx(other.statistic, abs=1e-6)


def test_a_value_of_a_dispersion_at_its_boundary():
    """Twice the fall from alpha = 0, Poisson's maximum, to the best of alpha = 0.2."""
    rng = np.random.default_rng(0)
    some = pd.DataFrame({"x": rng.normal(size=80), "y": rng.binomial(8, 0.5, 80)})
    with pytest.warns(tm.errors.BoundaryWarning):
        res = tm.NegativeBinomial.from_formula("y ~ x", some).fit(disp=False)
    family = tm.families.NegativeBinomial(alpha=0.2)
    held = tm.GLM.from_formula("y ~ x", some, family=family).fit()
    poisson = tm.Poisson.from_formula("y ~ x", some).fit(disp=False)
    ratio = res.lr_test("alpha = 0.2")
    assert ratio.statistic == pytest.approx(2 * (poisson.llf - held.llf), rel=1e-8) and ratio.df_diff == 1
    beside = res.lr_test("alpha = 0.2, x = 0")
    assert beside.df_diff == 2 and beside.statistic > ratio.statistic


def test_an_entry_of_a_covariance_matrix():
    """Two regressions at once: without their correlation r they are two, and the ratio is -n log(1 - r^2), the score n r^2."""
    df = BY_NAME["mvnormal-x"].frame()
    res = fitted(BY_NAME["mvnormal-x"])
    r = np.corrcoef(*(tm.OLS.from_formula(f"{y} ~ x", df).fit().resid for y in "ab"))[0, 1]
    ratio, score = res.lr_test("cov[b, a] = 0"), res.score_test("cov[b, a] = 0", cov_type="eim")
    assert ratio.statistic == pytest.approx(-len(df) * np.log1p(-(r**2)), rel=1e-9) and ratio.df_diff == 1
    assert score.statistic == pytest.approx(len(df) * r**2, rel=1e-8) and score.k_constraint == 1
    limits = res.conf_int(method="profile").loc["cov[b, a]"]
    for limit in limits:
        assert res.lr_test(f"cov[b, a] = {limit}").pvalue == pytest.approx(0.05, rel=1e-6)


def several_normals(n=150):
    rng = np.random.default_rng(4)
    a, b, c = rng.multivariate_normal([0, 1, 2], [[1, 0.2, 0.1], [0.2, 2, 0.3], [0.1, 0.3, 1]], n).T
    return pd.DataFrame({"a": a, "b": b, "c": c})


def test_equations_among_entries_of_a_covariance_matrix():
    """Bartlett's ratio of independence, -n log |R|, of all and of a block; Pitman's and Morgan's of equal variances; scores n r^2."""
    df = several_normals()
    n, r = len(df), np.corrcoef(df.T)
    block = r[0, 1:] @ np.linalg.solve(r[1:, 1:], r[1:, 0])
    sums = np.corrcoef(df["a"] + df["b"], df["a"] - df["b"])[0, 1]
    three, two = (tm.MVNormal.from_formula(f"{y} ~ 1", df).fit() for y in ("a + b + c", "a + b"))
    pairs = "cov[b, a] = 0, cov[c, a] = 0"
    for fit, hypothesis, ratio, score, df_diff in (
        (three, f"{pairs}, cov[c, b] = 0", -np.linalg.slogdet(r)[1], (r[np.tril_indices(3, -1)] ** 2).sum(), 3),
        (three, pairs, -np.log1p(-block), block, 2),
        (two, "cov[a, a] = cov[b, b]", -np.log1p(-(sums**2)), sums**2, 1),
    ):
        found, rao = fit.lr_test(hypothesis), fit.score_test(hypothesis, cov_type="eim")
        assert found.statistic == pytest.approx(n * ratio, rel=1e-8) and found.df_diff == df_diff
        assert rao.statistic == pytest.approx(n * score, rel=1e-7) and rao.k_constraint == df_diff


def test_an_equation_of_a_covariance_beside_one_of_a_mean():
    """Without correlation they are two samples, one of a known mean."""
    df = several_normals()
    res = tm.MVNormal.from_formula("c + a ~ 1", df).fit()
    found = res.lr_test("cov[a, c] = 0, a[Intercept] = 0")
    expected = 2 * (res.llf - _alone(df["c"], df["c"].mean()) - _alone(df["a"], 0.0))
    assert found.statistic == pytest.approx(expected, rel=1e-8) and found.df_diff == 2


def _alone(y, mean):
    """The highest log-likelihood of a normal sample of a known mean."""
    return stats.norm(mean, np.sqrt(((y - mean) ** 2).mean())).logpdf(y).sum()


def test_equations_between_scales():
    """sigma equal to the mean, and twice it: no equation on the real line of log sigma."""
    y = np.random.default_rng(2).normal(2.0, 1.5, 80)
    res = tm.Normal.from_formula("y ~ 1", pd.DataFrame({"y": y})).fit()

    def held(times):
        found = optimize.minimize_scalar(
            lambda mean: -stats.norm(mean, times * mean).logpdf(y).sum(), bounds=(0.1, 9), method="bounded",
            options={"xatol": 1e-10},
        )  # fmt: skip
        return 2 * (res.llf + found.fun)

    assert res.lr_test("sigma = Intercept").statistic == pytest.approx(held(1.0), rel=1e-7)
    assert res.lr_test("sigma = 2 * Intercept").statistic == pytest.approx(held(2.0), rel=1e-7)
    assert res.score_test("sigma = Intercept").k_constraint == 1


def test_models_that_are_not_nested(df):
    full = poisson("y ~ x + w", df)
    with pytest.raises(ValueError, match="different responses"):
        full.lr_test(tm.Poisson.from_formula("counts ~ x", df.assign(counts=df["y"] + 1)).fit(disp=False))
    rng = np.random.default_rng(0)
    some = df.assign(
        y=rng.poisson(np.exp(1 + df["x"] / df["x"].std())),
        noise=rng.normal(size=len(df)),
        more=rng.normal(size=len(df)),
    )
    with pytest.raises(ValueError, match="does not contain the other"):
        poisson("y ~ noise + more", some).lr_test(poisson("y ~ x", some))


class Own(tm.GenericLikelihoodModel):
    def loglikeobs(self, params):
        eta = self.exog @ params
        return self.endog * eta - np.exp(eta) - special.gammaln(self.endog + 1)


@pytest.mark.filterwarnings("ignore::torchmle.errors.DifferencesWarning")
def test_a_likelihood_of_ones_own(df):
    own = Own.from_formula("y ~ x + w", df).fit(disp=False, method="newton")
    res = poisson("y ~ x + w", df)
    np.testing.assert_allclose(own.lr_test("x = w").statistic, res.lr_test("x = w").statistic, rtol=1e-5)
    np.testing.assert_allclose(own.score_test("x = w").statistic, res.score_test("x = w").statistic, rtol=1e-4)


def test_a_conditional_logit():
    """Pairs: a logit of differences without a constant."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(120, 2))
    df = pd.DataFrame(x, columns=["x", "w"]).assign(g=np.repeat(np.arange(60), 2), y=np.tile([1, 0], 60))
    res = tm.ConditionalLogit.from_formula("y ~ x + w", df, groups="g").fit(disp=False)
    d = pd.DataFrame(x[::2] - x[1::2], columns=["x", "w"]).assign(y=1.0)
    mirrored = pd.concat([d, -d.assign(y=0.0)])
    logit = tm.Logit.from_formula("y ~ x + w - 1", mirrored).fit(disp=False)  # every pair twice
    for name in ("lr_test", "score_test"):
        one, other = getattr(res, name)("x = w"), getattr(logit, name)("x = w")
        assert 2 * one.statistic == pytest.approx(other.statistic, rel=1e-7)


def test_what_cannot_be_tested(df):
    full = poisson("y ~ x + w", df)
    for test in (full.lr_test, full.score_test):
        with pytest.raises(tm.errors.FormulaError, match="the parameters are Intercept, x, w"):
            test("q = 0")
        with pytest.raises(ValueError, match="contradict"):
            test("x = 0, x = 1")
    held = poisson("y ~ x + w", df, fix={"w": 0.0})
    for test in (held.lr_test, held.score_test):
        with pytest.raises(ValueError, match="nothing to test"):
            test("w = 0")
    bounded = poisson("y ~ x + w", df, bounds={"x": (None, 0)})
    penalised = tm.Poisson.from_formula("y ~ x + w", df).fit_regularized(alpha=1.0, disp=False)
    for res, words in ((bounded, "x at a bound"), (penalised, "penalised fit")):
        for test in (res.lr_test, res.score_test):
            with pytest.raises(ValueError, match=words):
                test("w = 0")
    normal = tm.Normal.from_formula("y ~ x", df).fit()
    with pytest.raises(ValueError, match="inside the domain"):
        normal.lr_test("sigma = 0")


def test_what_is_not_nested(df):
    full, small = poisson("y ~ x + w", df), poisson("y ~ z", df)
    with pytest.raises(ValueError, match="is not Poisson with some parameters zero.*z"):
        full.score_test(small)
    with pytest.raises(ValueError, match="all are the same"):
        full.score_test(full)
    with pytest.raises(ValueError, match="must share the rows"):
        full.score_test(poisson("y ~ x", df.iloc[:-1]))
    with pytest.raises(ValueError, match="zero is at the end of the range of alpha"):
        tm.NegativeBinomial.from_formula("y ~ x + w", df).fit(disp=False).score_test(full)
    other = poisson("y ~ x", df, offset=df["z"])  # the names are those of a nested model, the likelihood is not
    with pytest.raises(ValueError, match="is not Poisson with some parameters zero"):
        full.score_test(other)


@pytest.mark.filterwarnings("ignore::torchmle.errors.BoundaryWarning")
def test_a_nested_fit_with_an_infinite_estimate():
    """A share of added zeros of zero, a logit of minus infinity, is a point like any other to a score."""
    rng = np.random.default_rng(0)
    df = pd.DataFrame({"x": rng.normal(size=80), "z": rng.normal(size=80)}).assign(y=np.tile([1, 2, 0, 3, 1], 16))
    wide = tm.ZeroInflatedPoisson.from_formula("y ~ x + z", df).fit(disp=False)
    narrow = tm.ZeroInflatedPoisson.from_formula("y ~ x", df).fit(disp=False)
    assert np.isneginf(narrow.params.iloc[0])
    assert wide.score_test(narrow).statistic == pytest.approx(wide.score_test("z = 0").statistic, rel=1e-8)
