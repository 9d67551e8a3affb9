"""Traps of discrete models, and that every numbered trap has a test; see `test_traps` and `test_glm_traps`."""

import re
import warnings
from pathlib import Path

import mpmath as mp
import numpy as np
import pandas as pd
import pytest
from reference import corpus
from scipy import stats

import torchmle as tm
from torchmle import families as F
from torchmle.errors import ConvergenceWarning, HessianInversionWarning, RankWarning

GAMMA = F.Gamma(F.links.Log())


def close(ours, theirs, rtol=1e-9, atol=0.0):
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=rtol, atol=atol)


@pytest.fixture(scope="module")
def df():
    frame = pd.read_csv(corpus.HERE / "data" / "simulated.csv").astype({"w": float})
    rng = np.random.default_rng(5)
    trials = rng.integers(1, 9, len(frame))
    wins = rng.binomial(trials, 1 / (1 + np.exp(-0.3 - 0.5 * frame["x"])))
    return frame.assign(
        n=trials, wins=wins, losses=trials - wins, share=wins / trials, f=np.where(frame["g"] < 3, "low", "high"),
        c=rng.negative_binomial(1.5, 1.5 / (1.5 + np.exp(0.8 + 0.3 * frame["x"]))), k=frame["g"] % 3,
    )  # fmt: skip


FITS = {
    "logit": lambda data, tail=" ~ x + z", **k: tm.Logit.from_formula("yb" + tail, data).fit(disp=False, **k),
    "poisson": lambda data, tail=" ~ x + z", **k: tm.Poisson.from_formula("yp" + tail, data).fit(disp=False, **k),
    "negbin": lambda data, tail=" ~ x + z", **k: tm.NegativeBinomial.from_formula("c" + tail, data).fit(
        disp=False, **k
    ),
    "gamma": lambda data, tail=" ~ x + z", **k: tm.GLM.from_formula("yg" + tail, data, family=GAMMA).fit(**k),
    "mnlogit": lambda data, tail=" ~ x + z", **k: tm.MNLogit.from_formula("k" + tail, data).fit(disp=False, **k),
    "ordered": lambda data, tail=" ~ x + z", **k: tm.OrderedModel.from_formula("k" + tail, data).fit(disp=False, **k),
}
each_fit = pytest.mark.parametrize("name", FITS)


def names_in(*files):
    return [name for file in files for name in re.findall(
        r"^def test_(\w+)", Path(__file__).with_name(file).read_text(), re.MULTILINE)]  # fmt: skip


def test_every_trap_has_a_test():
    """T1 to T44, by number at the head of a name: ``test_t07_...`` or ``test_7_...``, ``test_t19_and_t20_...``."""
    names = names_in("test_traps.py", "test_glm_traps.py", "test_traps_models.py")
    heads = [re.match(r"t?(\d{1,2})_(?:and_t(\d{1,2})_)?", name) for name in names]
    numbers = {int(number) for head in heads if head for number in head.groups() if number}
    assert numbers == set(range(1, 45))


def test_every_demand_has_a_test():
    """A9, B1 to B11, C1 to C12, D1 to D5 and D8, E1 to E5, by the head of a name: ``test_b3_...``."""
    names = names_in("test_demands.py", "test_demands_models.py", "test_demands_scale.py", "test_glm_traps.py")
    heads = {head[1] for name in names if (head := re.match(r"([a-e]\d{1,2})_", name))}
    counts = {"b": range(1, 12), "c": range(1, 13), "d": (1, 2, 3, 4, 5, 8), "e": range(1, 6)}
    assert heads >= {"a9", *(f"{letter}{number}" for letter, numbers in counts.items() for number in numbers)}


@each_fit
@pytest.mark.parametrize("cov_type", ["nonrobust", "HC1", "cluster"])
@pytest.mark.parametrize("use_t", [True, False])
def test_t04_one_number_of_degrees_of_freedom(df, name, cov_type, use_t):
    """In p-values, intervals and tests alike; robust or not, the normal distribution unless t is asked for."""
    kwds = {"groups": "g"} if cov_type == "cluster" else None
    res = FITS[name](df, cov_type=cov_type, cov_kwds=kwds, use_t=use_t)
    assert not FITS[name](df, cov_type=cov_type, cov_kwds=kwds).use_t
    k = len(res.names)
    at = k - 1 if name == "mnlogit" else res.names.index("z")
    row = np.eye(k)[at]
    test, joint = res.t_test(row), res.wald_test(row[None])
    pvalues, limits = np.asarray(res.pvalues).T.ravel(), np.asarray(res.conf_int())
    close(pvalues[at], test.pvalue)
    close(joint.pvalue, test.pvalue)
    close(limits.reshape(-1, 2)[at], test.conf_int()[0])
    t = np.asarray(res.params).T.ravel()[at] / np.asarray(res.bse).T.ravel()[at]
    degrees = res.df_inference
    close(pvalues[at], 2 * (stats.t.sf(abs(t), degrees) if use_t else stats.norm.sf(abs(t))))
    if cov_type == "cluster":
        assert degrees == df["g"].nunique() - 1


def test_t11_scores_of_counts_out_of_trials(df):
    """By differences of the binomial log-probability, at coefficients that are no maximum."""
    for formula, more in (("wins + losses ~ x", {}), ("share ~ x", {"n_trials": "n"})):
        model = tm.GLM.from_formula(formula, df, family=F.Binomial(), **more)
        at, step = np.array([0.1, 0.3]), 1e-6

        def loglike(beta, x=model.exog):
            return stats.binom.logpmf(df["wins"], df["n"], 1 / (1 + np.exp(-x @ beta)))

        slopes = np.column_stack([(loglike(at + step * e) - loglike(at - step * e)) / (2 * step) for e in np.eye(2)])
        close(model.score_obs(at), slopes, 1e-6, 1e-7)
        close(model.score(at), slopes.sum(0), 1e-6)
        close(model.loglike(at), loglike(at).sum())
        close(model.fit().with_covariance("HC0").cov_params(), robust(model, df), 1e-6)


def robust(model, df):
    beta = model.fit().params.to_numpy()
    p, n = 1 / (1 + np.exp(-model.exog @ beta)), df["n"].to_numpy()
    bread = np.linalg.inv((model.exog * (n * p * (1 - p))[:, None]).T @ model.exog)
    scores = model.exog * (df["wins"].to_numpy() - n * p)[:, None]
    return bread @ scores.T @ scores @ bread


@pytest.mark.parametrize("name", ["logit", "poisson", "negbin", "ordered"])
def test_t13_profile_limits_are_where_twice_the_likelihood_fell(df, name):
    res = FITS[name](df)
    for limit in res.conf_int(method="profile").loc["x"]:
        held = FITS[name](df, fix={"x": limit})
        close(2 * (res.llf - held.llf), 3.841458820694124, 1e-6)


@each_fit
def test_t14_labels_and_variances_move_together(df, name):
    if name == "mnlogit":
        one, other = FITS[name](df), FITS[name](df, " ~ z + x")
        close(other.bse.loc[one.bse.index], one.bse, 1e-7)
        return
    one, other, big = FITS[name](df), FITS[name](df, " ~ z + x"), FITS[name](df.assign(x=1000 * df["x"]))
    for attribute in ("params", "bse", "pvalues"):
        close(getattr(other, attribute)[one.names], getattr(one, attribute), 1e-6, 1e-12)
    close(big.bse["x"] * 1000, one.bse["x"], 1e-6)
    close(big.bse["z"], one.bse["z"], 1e-6)
    assert len(set(np.round(one.bse, 6))) == len(one.bse)


def test_t15_a_collinear_logit_has_no_partial_errors(df):
    """All errors of what can be estimated, none of what cannot, and a warning; elsewhere NaN in three of four."""
    with pytest.warns(RankWarning, match="twice"):
        res = FITS["logit"](df.assign(twice=2 * df["x"]), " ~ x + twice + z")
    assert res.bse.isna().to_dict() == res.params.isna().to_dict()
    assert res.params.index[res.params.isna()].tolist() == ["twice"]
    close(res.bse.dropna(), FITS["logit"](df).bse)


def test_t18_the_scale_in_the_likelihood(df):
    """R: logLik(glm(yg ~ x + z, inverse.gaussian("log"))) is -91.867 at deviance / n; Pearson's scale gives another."""
    res = tm.GLM.from_formula("yg ~ x + z", df, family=F.InverseGaussian(F.links.Log())).fit()
    close(res.llf_scaled(res.deviance / 60), -91.86707604369228)
    assert res.llf < -100  # at Pearson's
    null = tm.GLM.from_formula("yg ~ 1", df, family=F.InverseGaussian(F.links.Log())).fit()
    shape = df["yg"].mean() ** 3 / 1.0  # scipy's form: mean mu scale, lambda = scale
    density = stats.invgauss.logpdf(df["yg"], shape ** (1 / 3) * null.scale, scale=1 / null.scale)
    close(null.llf, density.sum(), 1e-9)


def test_t21_shares_and_counts_are_one_likelihood():
    """R: logLik(glm(cbind(s, n - s) ~ x, binomial)) and of s / n with weights n are both -4.313142005569099."""
    data = pd.DataFrame({"n": [5.0, 8, 6, 9], "s": [1.0, 4, 4, 8], "x": [1.0, 2, 3, 4]})
    data = data.assign(lost=data["n"] - data["s"], share=data["s"] / data["n"])
    one = tm.GLM.from_formula("s + lost ~ x", data, family=F.Binomial()).fit()
    close(one.llf, -4.313142005569099, 1e-10)
    for more in ({"n_trials": "n"}, {"var_weights": "n"}):
        other = tm.GLM.from_formula("share ~ x", data, family=F.Binomial(), **more).fit()
        for name in ("params", "bse", "llf", "llf_obs", "llnull", "aic", "deviance", "pearson_chi2", "df_resid"):
            close(getattr(other, name), getattr(one, name))
        assert not other.is_quasi and other.model.loglike(other.params) == pytest.approx(one.llf, rel=1e-12)


def test_t21_weights_that_are_no_trials_add_nothing(df):
    """Of events they are precisions, and of shares of something else they make a quasi-likelihood."""
    single = tm.GLM.from_formula("yb ~ x", df, family=F.Binomial(), var_weights="w").fit()
    p, y, w = np.asarray(single.mu), df["yb"], df["w"]
    close(single.llf, (w * (y * np.log(p) + (1 - y) * np.log1p(-p))).sum(), 1e-12)
    data = df.assign(share=0.1 + 0.7 * df["yb"], half=df["w"] + 0.25)
    parts = tm.GLM.from_formula("share ~ x", data, family=F.Binomial(), var_weights="half").fit()
    p, y, w = np.asarray(parts.mu), data["share"], data["half"]
    close(parts.llf, (w * (y * np.log(p) + (1 - y) * np.log1p(-p))).sum(), 1e-12)
    assert parts.is_quasi


def test_t20_null_models_keep_offsets_and_weights(df):
    for made, formula, more in (
        (tm.Logit, "yb ~ x + z", {"freq_weights": "w", "offset": "off"}),
        (tm.NegativeBinomial, "c ~ x + z", {"freq_weights": "w", "offset": "off", "exposure": "n"}),
        (tm.ZeroInflatedPoisson, "c ~ x + z", {"freq_weights": "w", "offset": "off", "exposure": "n"}),
        (tm.MNLogit, "k ~ x + z", {"freq_weights": "w"}),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            res = made.from_formula(formula, df, **more).fit(disp=False)
            null = made.from_formula(formula.split("~")[0] + "~ 1", df, **more).fit(disp=False)
        close(res.llnull, null.llf, 1e-8)


def test_t24_tweedie_at_zero(df):
    """The density of none is ``exp(-mu^(2-p) / (phi (2-p)))``; a fit with many zeros converges."""
    family = F.Tweedie(F.links.Log(), var_power=1.5)
    y = df["yg"].where(df["z"] > 0, 0.0)
    res = tm.GLM.from_formula("y ~ x", df.assign(y=y), family=family).fit()
    assert res.converged and np.isfinite(res.llf)
    zero = (y == 0).to_numpy()
    close(res.llf_obs[zero], -np.sqrt(np.asarray(res.mu)[zero]) * 2 / res.scale, 1e-10)


def test_t26_which_dispersion(df):
    """alpha = 1 / theta, and the variance is mu + alpha mu^2; the Gamma distribution has the fitted dispersion."""
    res = FITS["negbin"](df)
    mu, alpha = np.asarray(res.predict()), res.params["alpha"]
    density = stats.nbinom.logpmf(df["c"], 1 / alpha, 1 / (1 + alpha * mu))
    close(res.llf, density.sum(), 1e-10)
    close(res.predict(which="var"), mu + alpha * mu**2)
    close(res.lnalpha, np.log(alpha))
    gamma = FITS["gamma"](df)
    close(gamma.get_distribution().var(), gamma.scale * np.asarray(gamma.mu) ** 2)


def test_t33_predictions_of_the_training_rows(df):
    """With an exposure, weights, missing values, columns in another order and rows in another."""
    data = df.assign(x=df["x"].where(df.index != 7))
    for made, formula in (
        (tm.GLM, "c ~ x + C(f)"),
        (tm.NegativeBinomial, "c ~ x + C(f)"),
        (tm.Poisson, "c ~ x + C(f)"),
    ):
        family = {"family": F.Poisson()} if made is tm.GLM else {}
        res = made.from_formula(formula, data, offset="off", exposure="n", freq_weights="w", **family).fit(disp=False)
        new = data.sample(frac=1, random_state=1)[data.columns[::-1]]
        found = res.predict(new)
        close(found.drop(7).sort_index(), res.predict(), 1e-13)
        assert np.isnan(found[7]) and found.index.equals(new.index)


def exact_negative_binomial(y, mu, alpha):
    with mp.workdps(50):
        y, mu, alpha = (mp.mpf(float(value)) for value in (y, mu, alpha))
        rising = mp.fsum(mp.log1p(alpha * j) for j in range(int(y)))
        return float(rising - (y + 1 / alpha) * mp.log1p(alpha * mu) + y * mp.log(mu) - mp.loggamma(y + 1))


@pytest.mark.parametrize("alpha", [1e-14, 1e-12, 1e-9, 1e-6, 1e-3, 1.0])
def test_t39_small_dispersions_lose_no_digits(df, alpha):
    """Differences of log-gammas are wrong by 7e-4 in a row at 1e-12."""
    model = tm.NegativeBinomial.from_formula("c ~ x", df)
    at = np.array([0.8, 0.3, alpha])
    mu = np.exp(model.exog @ at[:2])
    exact = [exact_negative_binomial(y, m, alpha) for y, m in zip(df["c"], mu, strict=True)]
    close(model.loglikeobs(at), exact, 1e-13, 1e-13)
    fixed = tm.GLM.from_formula("c ~ x", df, family=F.NegativeBinomial(alpha=alpha))
    close(fixed.loglike(at[:2]), np.sum(exact), 1e-13)


def test_t42_what_did_not_converge_says_so_and_has_what_it_names(df):
    """The message names ``mle_retvals``, which is there; no maximum, no standard errors, never both NaN and converged."""
    for name in ("logit", "negbin", "ordered", "mnlogit"):
        with pytest.warns(ConvergenceWarning, match="mle_retvals"):
            res = FITS[name](df, maxiter=1)
        assert res.converged is False and res.mle_retvals["converged"] is False
        good = FITS[name](df)
        assert good.converged is True
        assert np.isfinite(np.asarray(good.params)).all() and np.isfinite(np.asarray(good.bse)).all()


@pytest.mark.filterwarnings("ignore", category=HessianInversionWarning)
@each_fit
def test_t43_nothing_is_penalised(df, name):
    """The score vanishes at the estimate, whatever the units."""
    for scale in (1.0, 1e-4):
        res = FITS[name](df.assign(x=scale * df["x"]))
        unit = np.asarray(res.bse).T.ravel()
        assert np.abs(np.asarray(res.score()) * unit).max() < 1e-6
