"""ConditionalLogit: the exact conditional likelihood, and groups as its independent units."""

from itertools import combinations
from math import comb, log

import numpy as np
import pandas as pd
import pytest
import torch
from problems import matched
from statsmodels.discrete import conditional_models

import torchmle as tm
from torchmle.errors import ConvergenceWarning, RankWarning, SpecificationWarning
from torchmle.models.choices import chosen

FORMULA = "y ~ x + w + s"
quiet = pytest.mark.filterwarnings("ignore:Dropped:torchmle.errors.SpecificationWarning")


@pytest.fixture(scope="module")
def df():
    df = matched()
    varies = df.groupby("g")["y"].transform("nunique") == 2
    return df[varies].reset_index(drop=True)


@pytest.fixture(scope="module")
def res(df):
    return tm.ConditionalLogit.from_formula(FORMULA, df, groups="g").fit(disp=False)


def enumerated(df, beta, offset=None):
    """The log-likelihood of each group by looking at all sets of members of the same size."""
    out = {}
    for label, group in df.groupby("g"):
        eta = group[["x", "w", "s"]].to_numpy() @ beta + (0 if offset is None else offset[group.index])
        y = group["y"].to_numpy()
        sets = [eta[list(members)].sum() for members in combinations(range(len(y)), int(y.sum()))]
        out[label] = y @ eta - np.logaddexp.reduce(sets)
    return pd.Series(out)


# -- the likelihood ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [(0.0, 0.0, 0.0), (0.8, -0.5, 0.3), (-4.0, 6.0, 3.0), (200.0, -300.0, 100.0)])
def test_likelihood_is_that_of_all_sets(df, res, beta):
    expected = enumerated(df, np.array(beta))
    assert res.model.loglike(beta) == pytest.approx(expected.sum(), rel=1e-12)
    np.testing.assert_allclose(res.model.loglikeobs(beta), expected, rtol=1e-11, atol=1e-10)


def test_an_offset_is_a_known_part(df):
    offset = np.random.default_rng(5).normal(size=len(df))
    model = tm.ConditionalLogit.from_formula(FORMULA, df, groups="g", offset=offset)
    beta = np.array([0.3, -0.2, 0.1])
    np.testing.assert_allclose(model.loglike(beta), enumerated(df, beta, offset).sum(), rtol=1e-12)
    known = tm.ConditionalLogit.from_formula("y ~ w + s", df.assign(known=0.4 * df["x"]), groups="g", offset="known")
    fixed = tm.ConditionalLogit.from_formula(FORMULA, df, groups="g").fit(fix={"x": 0.4}, disp=False)
    np.testing.assert_allclose(known.fit(disp=False).params, fixed.params[["w", "s"]], rtol=1e-8)


@pytest.mark.parametrize("beta", [(0.1, 0.2, -0.3), (2.0, -3.0, 1.0)])
def test_score_and_hessian_are_slopes(res, beta):
    model, beta, h = res.model, np.array(beta), 1e-3

    def slope(function):
        steps = [[function(beta + i * h * e) for i in (-2, -1, 1, 2)] for e in np.eye(3)]
        return np.array([(f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h) for f in steps])

    np.testing.assert_allclose(model.score(beta), slope(model.loglike), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(model.hessian(beta), slope(model.score), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(model.score_obs(beta), slope(model.loglikeobs).T, rtol=1e-7, atol=1e-7)


def test_estimates_are_statsmodels(df, res):
    theirs = conditional_models.ConditionalLogit(df["y"], df[["x", "w", "s"]], groups=df["g"]).fit(
        method="bfgs", gtol=1e-8
    )
    np.testing.assert_allclose(res.params / res.bse, theirs.params / res.bse, atol=1e-3)  # they stop early
    np.testing.assert_allclose(res.bse, theirs.bse, rtol=1e-3)
    assert res.nobs == theirs.nobs == len(df)


def test_pairs_are_a_logit_of_differences():
    rng = np.random.default_rng(3)
    one, other = rng.normal(size=(2, 200, 2))
    first = rng.random(200) < 1 / (1 + np.exp(-(one - other) @ [0.7, -0.4]))
    df = pd.DataFrame(np.concatenate([one, other]), columns=["x", "w"])
    df = df.assign(g=np.tile(np.arange(200), 2), y=np.r_[first, ~first].astype(int))
    pairs = tm.ConditionalLogit.from_formula("y ~ x + w", df, groups="g").fit(disp=False)
    differences = pd.DataFrame(one - other, columns=["x", "w"]).assign(y=first.astype(float))
    logit = tm.Logit.from_formula("y ~ x + w - 1", differences).fit(disp=False)
    for cov_type in ("nonrobust", "HC0", "opg"):
        ours, theirs = pairs.with_covariance(cov_type), logit.with_covariance(cov_type)
        np.testing.assert_allclose(ours.cov_params(), theirs.cov_params(), rtol=1e-9)
    np.testing.assert_allclose(pairs.params, logit.params, rtol=1e-10)
    assert pairs.llf == pytest.approx(logit.llf, rel=1e-12)


def test_one_case_per_group_is_a_softmax(df):
    single = df[df.groupby("g")["y"].transform("sum") == 1].reset_index(drop=True)
    res = tm.ConditionalLogit.from_formula(FORMULA, single, groups="g").fit(disp=False)
    eta = (single[["x", "w", "s"]] @ res.params).to_numpy()
    p = np.exp(eta) / pd.Series(np.exp(eta)).groupby(single["g"]).transform("sum")
    np.testing.assert_allclose(res.predict(), p, rtol=1e-10)
    assert res.llf == pytest.approx(np.log(p[single["y"] == 1]).sum(), rel=1e-12)


def test_null_counts_sets(df, res):
    counts = df.groupby("g")["y"].agg(["size", "sum"])
    expected = -sum(log(comb(n, d)) for n, d in counts.to_numpy())
    assert res.llnull == pytest.approx(expected, rel=1e-13)
    assert res.prsquared == pytest.approx(1 - res.llf / expected, rel=1e-12)
    assert (res.df_model, res.df_resid) == (3.0, len(df) - 3.0)


def test_large_groups():
    """Elementary symmetric polynomials of degree 60 in 130 weights, against their product form."""
    rng = np.random.default_rng(0)
    eta = 3 * rng.normal(size=130)
    polynomial = np.array([1.0])
    for w in np.exp(eta - 1.0):  # scaled so that nothing overflows
        polynomial = np.convolve(polynomial, [1.0, w])
    groups = chosen.Groups(torch.from_numpy(eta)[None], torch.zeros(1, 130, 1, dtype=torch.float64), torch.tensor([60]))
    found = chosen.moments(groups, True)
    assert float(found.log_sum[0]) == pytest.approx(np.log(polynomial[60]) + 60, rel=1e-13)
    p = chosen.inclusion(found, groups.chosen).chance[0].numpy()
    assert p.sum() == pytest.approx(60, rel=1e-12) and ((p > 0) & (p < 1)).all()
    without = np.array([1.0])
    for w in np.exp(eta[1:] - 1.0):
        without = np.convolve(without, [1.0, w])
    assert p[0] == pytest.approx(np.exp(eta[0] - 1.0) * without[59] / polynomial[60], rel=1e-12)


def test_groups_are_batched_by_size(df, res, monkeypatch):
    beta = np.array([0.5, 0.1, -0.2])
    whole = [res.model.loglike(beta), res.model.score(beta), res.model.hessian(beta)]
    monkeypatch.setattr(chosen, "ELEMENTS", 50)
    parts = [res.model.loglike(beta), res.model.score(beta), res.model.hessian(beta)]
    monkeypatch.setattr(chosen, "UNROUNDED", 2)  # groups of different sizes padded together
    padded = [res.model.loglike(beta), res.model.score(beta), res.model.hessian(beta)]
    for one, other, third in zip(whole, parts, padded, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-11)
        np.testing.assert_allclose(third, one, rtol=1e-11)
    sizes = torch.arange(1, 300)
    rounded = chosen._rounded(sizes)
    assert bool((rounded >= sizes).all()) and bool((rounded <= sizes * 1.25).all())


# -- groups ------------------------------------------------------------------------------------------------------


@quiet
def test_the_order_of_rows_does_not_matter(df, res):
    shuffled = df.sample(frac=1, random_state=7)
    other = tm.ConditionalLogit.from_formula(FORMULA, shuffled, groups="g").fit(disp=False)
    np.testing.assert_allclose(other.params, res.params, rtol=1e-10)
    np.testing.assert_allclose(other.bse, res.bse, rtol=1e-10)
    np.testing.assert_allclose(other.fittedvalues.sort_index(), res.fittedvalues, rtol=1e-9)


def test_constants_of_groups_do_not_matter(df, res):
    far = df.assign(x=df["x"] + 1e6 * df["g"], w=df["w"] + 1e8)
    other = tm.ConditionalLogit.from_formula(FORMULA, far, groups="g").fit(disp=False)
    np.testing.assert_allclose(other.params / res.bse, res.params / res.bse, atol=1e-6)
    np.testing.assert_allclose(other.llf, res.llf, rtol=1e-7)


@quiet
def test_groups_without_variation_are_left_out():
    whole = matched()
    varies = whole.groupby("g")["y"].transform("nunique") == 2
    gone, rows = whole.loc[~varies, "g"].nunique(), int((~varies).sum())
    with pytest.warns(SpecificationWarning, match=rf"Dropped {gone} groups and {rows} observations"):
        model = tm.ConditionalLogit.from_formula(FORMULA, whole, groups="g")
    res, other = (
        model.fit(disp=False),
        tm.ConditionalLogit.from_formula(FORMULA, whole[varies], groups="g").fit(disp=False),
    )
    np.testing.assert_array_equal(res.params, other.params)
    assert res.fittedvalues.index.equals(whole.index[varies]) and len(res.model.endog) == varies.sum() == res.nobs
    assert f"{gone} groups with {rows} rows in which the response does not vary were left out" in str(res.summary())
    for cov_type, kwds in (
        ("HC0", {}),
        ("cluster", {"groups": "region"}),
        ("cluster", {"groups": whole["region"].to_numpy()}),
    ):
        np.testing.assert_allclose(
            res.with_covariance(cov_type, kwds).bse, other.with_covariance(cov_type, kwds and {"groups": "region"}).bse
        )
    with pytest.raises(ValueError, match="y is constant in all .* groups"):
        tm.ConditionalLogit.from_formula(FORMULA, whole[~varies], groups="g")


def test_a_weight_counts_whole_groups(df):
    weighted = tm.ConditionalLogit.from_formula(FORMULA, df, groups="g", freq_weights="weight").fit(disp=False)
    copies = [df[df["weight"] > i].assign(g=lambda d, i=i: d["g"] + 1000 * i) for i in range(3)]
    repeated = tm.ConditionalLogit.from_formula(FORMULA, pd.concat(copies, ignore_index=True), groups="g").fit(
        disp=False
    )
    for cov_type in ("nonrobust", "HC0", "HC1", "opg"):
        np.testing.assert_allclose(
            weighted.with_covariance(cov_type).bse, repeated.with_covariance(cov_type).bse, rtol=1e-8
        )
    np.testing.assert_allclose(
        [weighted.llf, weighted.bic, weighted.nobs], [repeated.llf, repeated.bic, repeated.nobs], rtol=1e-10
    )
    with pytest.raises(ValueError, match="freq_weights differ within a group"):
        tm.ConditionalLogit.from_formula(
            FORMULA, df.assign(weight=np.arange(len(df)) + 1.0), groups="g", freq_weights="weight"
        )


def test_robust_covariances_are_of_groups(df, res):
    scores, bread = res.score_obs(), res.cov_params().to_numpy()
    groups = df["g"].nunique()
    assert scores.shape == (groups, 3) and len(res.llf_obs) == groups
    np.testing.assert_allclose(res.with_covariance("HC0").cov_params(), bread @ scores.T @ scores @ bread, rtol=1e-10)
    none = res.with_covariance("cluster", {"groups": "g", "use_correction": False})
    np.testing.assert_allclose(none.bse, res.with_covariance("HC0").bse, rtol=1e-12)
    region = df.groupby("g")["region"].first()
    sums = pd.DataFrame(scores, index=region.index).groupby(region).sum().to_numpy()
    coarse = res.with_covariance("cluster", {"groups": "region", "use_correction": False})
    np.testing.assert_allclose(coarse.cov_params(), bread @ sums.T @ sums @ bread, rtol=1e-10)
    with pytest.raises(ValueError, match="groups differ within a group: clusters must be made of whole groups"):
        res.with_covariance("cluster", {"groups": np.arange(len(df)) // 3})


def test_rows_without_a_cluster_leave_whole_groups(df):
    holes = df.assign(region=df["region"].where(df["region"] != 2))
    kwds = {"cov_type": "cluster", "cov_kwds": {"groups": "region"}}
    ours = tm.ConditionalLogit.from_formula(FORMULA, holes, groups="g").fit(disp=False, **kwds)
    other = tm.ConditionalLogit.from_formula(FORMULA, df[df["region"] != 2], groups="g").fit(disp=False, **kwds)
    np.testing.assert_allclose(ours.params, other.params, rtol=1e-10)
    np.testing.assert_allclose(ours.bse, other.bse, rtol=1e-10)
    assert ours.nobs == other.nobs and ours.fittedvalues.index.equals(df.index[df["region"] != 2])


# -- columns and arguments ---------------------------------------------------------------------------------------


def test_columns_that_do_not_vary_within_groups_are_left_out(df, res):
    with pytest.warns(RankWarning, match="level"):
        other = tm.ConditionalLogit.from_formula(FORMULA + " + level", df, groups="g").fit(disp=False)
    assert other.dropped_columns == ["level"]
    np.testing.assert_allclose(other.params[["x", "w", "s"]], res.params, rtol=1e-9)
    assert other.df_model == 3


def test_constants_are_refused_and_that_of_a_formula_left_out(df, res):
    assert res.names == ["x", "w", "s"]
    same = tm.ConditionalLogit.from_formula("y ~ 0 + x + w + s", df, groups=df["g"]).fit(disp=False)
    np.testing.assert_array_equal(same.params, res.params)
    with pytest.raises(ValueError, match="should not have an intercept .* leave out 'const'"):
        tm.ConditionalLogit(df["y"], df[["x"]].assign(const=1.0), groups=df["g"])


def test_what_a_conditional_logit_needs(df):
    with pytest.raises(ValueError, match="'groups' is a required argument"):
        tm.ConditionalLogit(df["y"], df[["x"]])
    with pytest.raises(ValueError, match="'groups' is a required argument"):
        tm.ConditionalLogit.from_formula("y ~ x", df)
    with pytest.raises(ValueError, match="endog must be coded as 0, 1; y has other values"):
        tm.ConditionalLogit.from_formula("y ~ x", df.assign(y=2 * df["y"]), groups="g")
    with pytest.raises(ValueError, match="groups has 5 rows"):
        tm.ConditionalLogit(df["y"], df[["x"]], groups=np.arange(5))
    with pytest.raises(ValueError, match="fit it in one"):
        tm.ConditionalLogit(df["y"], df[["x"]], groups=df["g"], process_group=True)


def test_groups_may_have_any_labels(df, res):
    named = df.assign(g="group " + df["g"].astype(str))
    other = tm.ConditionalLogit.from_formula(FORMULA, named, groups="g").fit(disp=False)
    np.testing.assert_allclose(other.params, res.params, rtol=1e-10)
    arrays = tm.ConditionalLogit(df["y"].to_numpy(), df[["x", "w", "s"]].to_numpy(), groups=df["g"].to_numpy()).fit(
        disp=False
    )
    assert isinstance(arrays.params, np.ndarray)
    np.testing.assert_allclose(arrays.params, res.params, rtol=1e-12)
    model = arrays.model
    again = type(model)(model.endog, model.exog, **model._get_init_kwds()).fit(disp=False)
    np.testing.assert_allclose(again.params, res.params, rtol=1e-12)


@quiet
def test_rows_with_missing_values_leave_their_groups(df):
    holes = df.assign(x=df["x"].where(df.index % 20 != 0))
    ours = tm.ConditionalLogit.from_formula(FORMULA, holes, groups="g").fit(disp=False)
    other = tm.ConditionalLogit.from_formula(FORMULA, holes.dropna(), groups="g").fit(disp=False)
    np.testing.assert_allclose(ours.params, other.params, rtol=1e-12)
    assert ours.fittedvalues.index.equals(other.fittedvalues.index)
    whole = df.assign(x=df["x"].where(df["g"] != df["g"].iloc[0]))  # a group that is not there at all
    assert tm.ConditionalLogit.from_formula(FORMULA, whole, groups="g").left_out == [0, 0]


# -- predictions -------------------------------------------------------------------------------------------------


def test_predictions(df, res):
    p = res.fittedvalues
    np.testing.assert_array_equal(p, res.predict())
    np.testing.assert_allclose(p.groupby(df["g"]).sum(), df.groupby("g")["y"].sum(), rtol=1e-12)
    group = next(g for _, g in df.groupby("g") if 1 < g["y"].sum() < len(g) - 1)
    eta = (group[["x", "w", "s"]] @ res.params).to_numpy()
    sets = list(combinations(range(len(eta)), int(group["y"].sum())))
    weight = np.exp([eta[list(members)].sum() for members in sets])
    expected = [
        sum(w for w, members in zip(weight, sets, strict=True) if i in members) / weight.sum() for i in range(len(eta))
    ]
    np.testing.assert_allclose(p[group.index], expected, rtol=1e-11)
    new = matched(seed=4)[["x", "w", "s"]]
    np.testing.assert_allclose(res.predict(new, which="linear"), new @ res.params, rtol=1e-12)
    np.testing.assert_allclose(res.predict(which="linear"), df[["x", "w", "s"]] @ res.params, rtol=1e-12)
    with pytest.raises(ValueError, match="pass groups=, the labels of the new rows' groups"):
        res.predict(new)
    with pytest.raises(ValueError, match="choose from 'mean', 'linear'"):
        res.predict(which="prob")


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0"])
def test_linear_predictions_have_standard_errors(df, res, cov_type, tmp_path):
    """``sqrt(x'Vx)``, and of differences of rows what t_test says."""
    ours, columns = res.with_covariance(cov_type), ["x", "w", "s"]
    v, new = ours.cov_params().to_numpy(), matched(seed=4)[columns]
    found = ours.get_prediction(new, which="linear")
    frame, x = found.summary_frame(alpha=0.1), new.to_numpy()
    se = np.sqrt(((x @ v) * x).sum(1))
    np.testing.assert_allclose(frame["predicted"], x @ res.params, rtol=1e-12)
    np.testing.assert_allclose(frame["se"], se, rtol=1e-10)
    np.testing.assert_allclose(frame["ci_upper"], x @ res.params + 1.6448536269514722 * se, rtol=1e-10)
    np.testing.assert_allclose(frame["ci_lower"], x @ res.params - 1.6448536269514722 * se, rtol=1e-10)
    test = ours.t_test(x[:2])
    np.testing.assert_allclose(found.se[:2], test.sd, rtol=1e-10)
    again = ours.predict(new, which="linear", interval="mean", level=0.9)
    np.testing.assert_allclose(again[["lower", "upper"]], frame[["ci_lower", "ci_upper"]], rtol=1e-12)
    own = ours.get_prediction(which="linear")
    assert own.index.equals(df.index)
    np.testing.assert_allclose(own.predicted, ours.predict(which="linear"), rtol=1e-12)
    ours.save(tmp_path / "fit")
    loaded = tm.load(tmp_path / "fit")
    pd.testing.assert_frame_equal(loaded.get_prediction(new, which="linear").summary_frame(alpha=0.1), frame)
    with pytest.raises(tm.errors.ModelError, match="rows"):
        loaded.get_prediction()
    with pytest.raises(ValueError, match="intervals for observations"):
        found.conf_int(obs=True)
    with pytest.raises(NotImplementedError, match="constants of their groups are conditioned away"):
        ours.get_distribution()


def test_linear_predictions_count_the_offset(df):
    known = tm.ConditionalLogit.from_formula("y ~ w + s", df.assign(known=0.4 * df["x"]), groups="g", offset="known")
    found = known.fit(disp=False)
    at = pd.DataFrame({"w": [0.0, 1.0], "s": [0.0, -1.0], "known": [3.0, 0.5]})
    prediction = found.get_prediction(at, which="linear", row_labels=["base", "other"])
    np.testing.assert_allclose(prediction.predicted, [3.0, 0.5 + found.params["w"] - found.params["s"]], rtol=1e-12)
    assert prediction.se[0] == 0.0 and list(prediction.summary_frame().index) == ["base", "other"]


def slopes(res, function, h=1e-4):
    """Derivatives of predictions in the coefficients, by central differences of the likelihood's own terms."""
    steps = [[function(res.params.to_numpy() + i * h * e) for i in (-2, -1, 1, 2)] for e in np.eye(len(res.params))]
    return np.array([(f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h) for f in steps]).T


def by_sets(frame, beta, number):
    """Probabilities of the rows of one group by looking at all its sets of `number` members."""
    eta = frame[["x", "w", "s"]].to_numpy() @ beta + frame.get("o", pd.Series(0.0, frame.index)).to_numpy()
    sets = list(combinations(range(len(eta)), int(number)))
    weight = np.exp([eta[list(members)].sum() for members in sets])
    inside = np.array([[i in members for members in sets] for i in range(len(eta))], dtype=float)
    return inside @ weight / weight.sum()


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0"])
def test_probabilities_have_standard_errors(df, res, cov_type):
    """Delta method, with slopes by differences of the sums over all sets; limits of the log odds."""
    ours = res.with_covariance(cov_type)
    found, v = ours.get_prediction(), ours.cov_params().to_numpy()
    assert found.index.equals(df.index)
    np.testing.assert_array_equal(found.predicted, res.predict())
    for _, group in df.groupby("g"):
        number, at = group["y"].sum(), df.index.get_indexer(group.index)
        jacobian = slopes(res, lambda beta, group=group, number=number: by_sets(group, beta, number))
        np.testing.assert_allclose(found.se[at], np.sqrt(((jacobian @ v) * jacobian).sum(1)), rtol=1e-8, atol=1e-12)
    p, se = found.predicted, found.se
    odds, reach = np.log(p / (1 - p)), 1.6448536269514722 * se / (p * (1 - p))
    limits = found.conf_int(alpha=0.1)
    np.testing.assert_allclose(limits.T, [1 / (1 + np.exp(reach - odds)), 1 / (1 + np.exp(-reach - odds))], rtol=1e-9)
    table = ours.predict(interval="mean", level=0.9)
    np.testing.assert_allclose(table[["lower", "upper"]], limits, rtol=1e-12)


def test_errors_of_one_case_per_group_are_the_softmaxs(df):
    single = df[df.groupby("g")["y"].transform("sum") == 1].reset_index(drop=True)
    res = tm.ConditionalLogit.from_formula(FORMULA, single, groups="g").fit(disp=False)
    p, x, v = res.predict(), single[["x", "w", "s"]], res.cov_params().to_numpy()
    centred = x - (x.mul(p, axis=0)).groupby(single["g"]).transform("sum")
    gradient = centred.mul(p, axis=0).to_numpy()  # p_i (x_i - sum_j p_j x_j)
    np.testing.assert_allclose(res.get_prediction().se, np.sqrt(((gradient @ v) * gradient).sum(1)), rtol=1e-10)


def test_probabilities_of_new_groups(df, res, tmp_path):
    new = matched(groups=12, seed=8, most=6).assign(o=0.0)
    new.index = [f"row {i}" for i in range(len(new))]
    found, given = res.get_prediction(new), new.groupby("g")["y"].transform("sum")
    for _, group in new.groupby("g"):
        at, number = new.index.get_indexer(group.index), group["y"].sum()
        expected = by_sets(group, res.params.to_numpy(), number)
        np.testing.assert_allclose(found.predicted[at], expected, rtol=1e-11)
        jacobian = slopes(res, lambda beta, group=group, number=number: by_sets(group, beta, number))
        v = res.cov_params().to_numpy()
        np.testing.assert_allclose(found.se[at], np.sqrt(((jacobian @ v) * jacobian).sum(1)), rtol=1e-8, atol=1e-12)
    alike = new.groupby("g")["y"].transform("nunique") == 1  # known for sure
    limits = found.conf_int()
    np.testing.assert_array_equal(found.predicted[alike], new["y"][alike])
    np.testing.assert_array_equal(found.se[alike], 0.0)
    np.testing.assert_array_equal(limits[alike], np.column_stack([new["y"][alike]] * 2))
    assert alike.any() and ((limits[~alike] > 0) & (limits[~alike] < 1)).all()
    bare = new[["x", "w", "s"]]
    ways = [
        res.get_prediction(new.drop(columns="y"), ones=given),
        res.get_prediction(bare, groups=new["g"].to_numpy(), ones=given.to_numpy()),
        res.get_prediction(bare.to_numpy(), transform=False, groups="k" + new["g"].astype(str), ones=given.to_numpy()),
    ]
    ordered = new.sample(frac=1, random_state=2)
    ways.append(res.get_prediction(ordered.assign(k=given[ordered.index]), ones="k"))
    res.save(tmp_path / "fit")
    ways.append(tm.load(tmp_path / "fit").get_prediction(new))
    for way in ways:
        place = new.index.get_indexer(ordered.index) if way is ways[3] else slice(None)
        np.testing.assert_allclose(way.predicted, found.predicted[place], rtol=1e-12)
        np.testing.assert_allclose(way.se, found.se[place], rtol=1e-10)
    one = res.predict(bare, groups=new["g"], ones=1)
    weight = np.exp(bare @ res.params)
    np.testing.assert_allclose(one, weight / weight.groupby(new["g"]).transform("sum"), rtol=1e-11)
    assert res.predict(new.iloc[:0]).empty


def test_probabilities_count_offsets_and_leave_out_what_is_missing(df):
    whole = df.assign(o=np.random.default_rng(3).normal(size=len(df)))
    res = tm.ConditionalLogit.from_formula(FORMULA, whole, groups="g", offset="o").fit(disp=False)
    np.testing.assert_allclose(res.predict(whole), res.fittedvalues, rtol=1e-12)
    moved = whole.assign(o=whole["o"] + whole["x"])
    expected = np.concatenate([by_sets(g, res.params.to_numpy(), g["y"].sum()) for _, g in moved.groupby("g")])
    order = np.concatenate([g.index for _, g in moved.groupby("g")])
    np.testing.assert_allclose(res.predict(moved)[order], expected, rtol=1e-11)
    np.testing.assert_allclose(res.predict(offset=moved["o"]), res.predict(moved), rtol=1e-12)
    holes = whole.assign(x=whole["x"].where(whole.index != 4), o=whole["o"].where(whole.index != 9))
    found = res.get_prediction(holes)
    rest = res.get_prediction(whole.drop(index=[4, 9]))
    assert np.isnan(found.predicted[[4, 9]]).all() and np.isnan(found.conf_int(obs=True)[[4, 9]]).all()
    np.testing.assert_array_equal(np.delete(found.se, [4, 9]), rest.se)


def test_an_offset_given_as_an_array_carries_over(df):
    offset = np.random.default_rng(3).normal(size=len(df))
    res = tm.ConditionalLogit.from_formula(FORMULA, df, groups=df["g"], offset=offset).fit(disp=False)
    for which in ("mean", "linear"):
        np.testing.assert_allclose(res.predict(df, which=which), res.predict(which=which), rtol=1e-12)
    new = df.assign(x=0.5)
    with pytest.warns(SpecificationWarning, match="offset=0"):
        np.testing.assert_allclose(res.predict(new, which="linear"), new[["x", "w", "s"]] @ res.params, rtol=1e-12)


def test_probabilities_that_round_to_one_have_intervals(df, res):
    """One chosen of two that lie far apart: the log odds are their distance, whatever the probability rounds to."""
    far = pd.DataFrame({"x": [60.0, 0.0], "w": 0.0, "s": 0.0, "g": 1})
    found = res.get_prediction(far, ones=1)
    slope, se = res.params["x"], res.bse["x"]
    assert found.predicted[0] == 1.0
    np.testing.assert_allclose(found.linear, [60 * slope, -60 * slope], rtol=1e-12)
    np.testing.assert_allclose(found.linear_se, 60 * se, rtol=1e-9)


def test_new_observations_of_groups(df, res):
    """0 and 1, by the probability averaged over the error of its log odds."""
    found = res.get_prediction()
    draws = found.linear[:, None] + found.linear_se[:, None] * np.random.default_rng(0).normal(size=(1, 40_000))
    share = (1 / (1 + np.exp(-draws))).mean(1)
    for alpha in (0.1, 0.5):
        clear = (np.abs(share - alpha / 2) > 0.003) & (np.abs(1 - share - alpha / 2) > 0.003)
        expected = np.column_stack([1 - share < alpha / 2, share > alpha / 2])
        np.testing.assert_array_equal(found.conf_int(obs=True, alpha=alpha)[clear], expected[clear])
    assert set(res.predict(interval="obs").columns) == {"predicted", "lower", "upper"}


def test_what_probabilities_of_new_rows_need(df, res):
    with pytest.raises(ValueError, match="how many of each group have y = 1.*pass ones="):
        res.predict(df.drop(columns="y"))
    with pytest.raises(ValueError, match="ones differ within a group"):
        res.predict(df, ones=np.arange(len(df)) % 2)
    with pytest.raises(ValueError, match="ones says how many rows of each group have y = 1; it is 30 in a group of"):
        res.predict(df, ones=30)
    with pytest.raises(ValueError, match="it is 0.5 in a group of"):
        res.predict(df, ones=0.5)
    with pytest.raises(ValueError, match="must be coded as 0, 1; y of the new rows has other values"):
        res.predict(df.assign(y=df["y"] + 1))
    with pytest.raises(ValueError, match="groups= is for new rows"):
        res.predict(groups=df["g"])
    with pytest.raises(TypeError, match="'exposure'.*take which, offset, groups, ones"):
        res.predict(df, exposure=1.0)


def test_without_its_data_a_model_holds_no_members(df):
    res = tm.ConditionalLogit.from_formula(FORMULA, df, groups="g").fit(disp=False)
    expected = res.get_prediction(df).summary_frame()
    res.remove_data()
    pd.testing.assert_frame_equal(res.get_prediction(df).summary_frame(), expected)
    assert not any(isinstance(value, torch.Tensor) for value in vars(res.model).values())
    for ask in (res.predict, res.get_prediction, lambda: res.model.endog):
        with pytest.raises(tm.errors.ModelError, match="rows"):
            ask()


def test_summary_and_file(df, res, tmp_path):
    text = str(res.summary())
    assert "Conditional Logit Model Regression Results" in text
    assert f"No. groups: {df['g'].nunique()} " in " ".join(text.split())
    sizes = df.groupby("g").size()
    assert f"{sizes.min()}   Mean group size:" in text and "Max group size:" in text
    res.save(tmp_path / "fit")
    loaded = tm.load(tmp_path / "fit")
    assert str(loaded.summary()).splitlines()[7:] == text.splitlines()[7:]
    np.testing.assert_array_equal(loaded.predict(df, which="linear"), res.predict(df, which="linear"))


def test_separated_groups_are_no_estimates(df):
    only = df["y"] * (df["x"] > 1)
    with pytest.warns(ConvergenceWarning, match="only"):
        res = tm.ConditionalLogit.from_formula("y ~ x + only", df.assign(only=only), groups="g").fit(disp=False)
    assert not res.converged


def test_a_penalty_sets_coefficients_to_zero(df, res):
    """At the maximum of l/n - alpha |b|, score/n is alpha times the sign, and at most alpha where b is zero."""
    alpha = 0.05
    found = np.asarray(res.model.fit_regularized(alpha=alpha, L1_wt=1.0).params)
    slope = res.model.score(found) / res.nobs
    assert (found == 0).any() and (found != 0).any()
    np.testing.assert_allclose(slope[found != 0], alpha * np.sign(found[found != 0]), rtol=1e-6)
    assert (np.abs(slope[found == 0]) <= alpha).all()
    np.testing.assert_allclose(res.model.fit_regularized(alpha=0.0).params, res.params, rtol=1e-6)
