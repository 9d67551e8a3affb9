"""Laws that every model obeys, over the rows of `tests/problems.py`."""

import copy
import datetime as dt
import multiprocessing
import random
import re
import traceback
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from problems import BY_NAME, CLOSED_FORMS, LIKELIHOODS, NAMES, PROBLEMS, REGRESSIONS, fitted
from scipy import stats

import torchmle as tm
from torchmle.likelihood import LikelihoodModel
from torchmle.models.counts.results import CountResults
from torchmle.regression import RegressionModel
from torchmle.sums import row_map, row_sums

# All in float64. Derivatives and distances between estimates are measured in standard errors, so that a tolerance means
# the same for every parameter.
SAME_SUM = 1e-11  # the same numbers added in another order: a few hundred roundings
SAME_MAXIMUM = 1e-6  # two searches for one maximum: each stops within 1e-5 standard errors and then takes one more step
DIFFERENCES = 1e-6  # five-point differences over 0.01 standard errors: 1e-8 cut off, 1e-12 rounded

each_problem = pytest.mark.parametrize("problem", PROBLEMS, ids=NAMES)
each_likelihood = pytest.mark.parametrize("problem", LIKELIHOODS, ids=repr)
each_regression = pytest.mark.parametrize("problem", REGRESSIONS, ids=repr)
at_and_away = pytest.mark.parametrize("steps", [0.0, 0.7], ids=["at-the-estimate", "away"])


def close(actual, expected, tolerance, unit=1.0):
    """Assert that two arrays agree to `tolerance` of the larger of `unit` and the expected value."""
    actual, expected = np.asarray(actual, float), np.asarray(expected, float)
    assert actual.shape == expected.shape
    assert np.isfinite(expected).all()
    distance = np.abs(actual - expected) / np.maximum(np.abs(expected), unit)
    assert np.nanmax(distance, initial=0.0) <= tolerance and not np.isnan(distance).any()


def standard_errors(res):
    """Standard errors; 0.1 for what was held fixed."""
    return np.where(res._bse > 0, res._bse, 0.1)


def point(res, steps):
    """The estimate, or a point some standard errors away from it."""
    signs = np.where(np.arange(len(res.names)) % 2, -1.0, 1.0)
    return res.params_array + steps * signs * standard_errors(res)


def whole(model):
    """All rows as one block."""
    return model.rows.block(slice(0, model.rows.n))


def same_fit(one, other, tolerance=SAME_MAXIMUM, llf=True):
    """Estimates, standard errors and statistics of two fits agree, parameter by label."""
    order = [one.names.index(name) for name in other.names]
    unit = standard_errors(other)
    close(one.params_array[order] / unit, other.params_array / unit, tolerance)
    covariance = one.covariance_array[np.ix_(order, order)]
    close(covariance / unit / unit[:, None], other.covariance_array / unit / unit[:, None], tolerance)
    if llf:
        close([one.llf, one.aic, one.bic], [other.llf, other.aic, other.bic], tolerance)
        assert (one.nobs, one.df_resid, one.df_model) == (other.nobs, other.df_resid, other.df_model)
        close(one.scale, other.scale, tolerance)


# -- the likelihood --------------------------------------------------------------------------------------------


@each_problem
def test_a_fit_converges_to_labelled_numbers(problem):
    res = fitted(problem)
    assert res.converged
    assert set(res.names) == set(problem.truth)
    labels = res.names if isinstance(res.params, pd.Series) else res.model.exog_names
    assert list(res.params.index) == labels == list(res.bse.index)
    assert (np.asarray(res.params).ravel("F") == res.params_array).all()
    assert res.cov_params().shape == 2 * (len(res.names),)
    assert labels != res.names or list(res.cov_params().columns) == labels


@at_and_away
@each_likelihood
def test_likelihood_is_scipys(problem, steps):
    res, df = fitted(problem), problem.frame()
    params = point(res, steps)
    held = problem.held(res)
    rows = np.asarray(problem.rows(df, dict(zip(res.names, params, strict=True)), **held))
    close(res.model.loglike(params, **held), rows.sum(), SAME_SUM)
    close(res.model.loglikeobs(params, **held), rows, SAME_SUM)
    if not held:
        close(res.model.row_loglike(res.model._z(params), whole(res.model)).detach(), rows, SAME_SUM)


@each_problem
def test_loglike_is_the_sum_of_its_rows(problem):
    res = fitted(problem)
    close(res.llf_obs.sum(), res.llf, SAME_SUM)
    close(res.model.loglike(res.params_array), res.llf, SAME_SUM)


@each_problem
def test_loglike_is_the_weighted_sum_of_its_rows(problem):
    df = problem.frame()
    res = problem.fit(df, freq_weights="counts")
    close(res.llf_obs @ df["counts"], res.llf, SAME_SUM)


def slope(function, x, steps):
    """Five-point central differences of a function in each coordinate."""
    columns = []
    for j, step in enumerate(steps):
        at = [function(x + i * step * np.eye(len(x))[j]) for i in (-2, -1, 1, 2)]
        columns.append((at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step))
    return np.array(columns)


@at_and_away
@each_problem
def test_score_and_hessian_are_slopes(problem, steps):
    res = fitted(problem)
    loglike, score, hessian = (
        partial(getattr(res.model, name), **problem.held(res)) for name in ("loglike", "score", "hessian")
    )
    params, unit = point(res, steps), standard_errors(res)
    close(score(params) * unit, slope(loglike, params, 0.01 * unit) * unit, DIFFERENCES)
    slopes = slope(score, params, 0.01 * unit)
    close(hessian(params) * unit * unit[:, None], slopes * unit * unit[:, None], DIFFERENCES)


@at_and_away
@each_problem
def test_score_and_hessian_are_autograds(problem, steps):
    """What the engine assembles from linear predictors is what autograd gives for the parameter vector."""
    res = fitted(problem)
    z = res.model._z(point(res, steps))
    value, score, hessian = res.model.sums(z, 2)
    plain_value, plain_score, plain_hessian = LikelihoodModel.block_sums(res.model, z, whole(res.model), 2)
    unit = 1 / (-hessian).diagonal().sqrt().nan_to_num(1.0)
    close(value, plain_value, SAME_SUM)
    close(score * unit, plain_score * unit, 100 * SAME_SUM)  # at the estimate the score is what n numbers cancel to
    close(hessian * unit * unit[:, None], plain_hessian * unit * unit[:, None], SAME_SUM)
    for order in (0, 1):
        for part, expected in zip(res.model.sums(z, order), (value, score), strict=False):
            close(part * 1, expected, 100 * SAME_SUM)


@pytest.mark.parametrize("problem", CLOSED_FORMS, ids=repr)
@at_and_away
def test_closed_forms_are_autograds(problem, steps):
    model = fitted(problem).model
    block = whole(model)
    eta = model.eta(model._z(point(fitted(problem), steps)), block)
    value, g, h = model.eta_derivatives(eta, block, 2)
    plain_value, plain_g, plain_h = RegressionModel.eta_derivatives(model, eta, block, 2)
    close(value, plain_value, SAME_SUM)
    close(torch.stack(g), torch.stack(plain_g), SAME_SUM)
    assert [len(row) for row in h] == [len(row) for row in plain_h]
    for row, plain_row in zip(h, plain_h, strict=True):
        close(torch.stack(row), torch.stack(plain_row), SAME_SUM)


def test_every_model_with_closed_forms_is_compared():
    public = {getattr(tm, name) for name in tm.__all__ if isinstance(getattr(tm, name), type)}
    models = {model for model in public if issubclass(model, RegressionModel) and model is not RegressionModel}
    closed = {model for model in models if model.eta_derivatives is not RegressionModel.eta_derivatives}
    assert closed == {problem.model for problem in CLOSED_FORMS}


@at_and_away
@each_problem
def test_scores_of_rows_add_up(problem, steps):
    df = problem.frame()
    res = problem.fit(df, freq_weights="counts")
    params, unit = point(res, steps), standard_errors(res)
    rows = res.model.score_obs(params)
    assert rows.shape == (len(df), len(res.names))
    close(rows.sum(0) * unit, res.model.score(params) * unit, 100 * SAME_SUM)
    assert (rows[df["counts"] == 0] == 0).all()


@each_problem
def test_scores_of_rows_are_autograds(problem):
    res = fitted(problem)
    z = res.model._z(point(res, 0.7))
    close(res.model.scores(z), LikelihoodModel.block_scores(res.model, z, whole(res.model)), SAME_SUM)


@each_problem
def test_the_score_vanishes_at_the_estimate(problem):
    res = fitted(problem)
    free = ~res.fixed
    close((res.score() * standard_errors(res))[free], np.zeros(free.sum()), SAME_MAXIMUM)
    close(res.score_obs().sum(0)[free] * standard_errors(res)[free], np.zeros(free.sum()), SAME_MAXIMUM)


@each_problem
def test_covariance_is_the_inverse_information(problem):
    """On the reported scale, too: where the score vanishes the delta method and the reported Hessian agree."""
    res = fitted(problem)
    if issubclass(problem.model, tm.WLS):
        information = -res.model.hessian(res.params_array, scale=res.scale)
    else:
        information = -res.hessian()
    free, unit = ~res.fixed, standard_errors(res)
    expected = np.zeros_like(information)
    expected[np.ix_(free, free)] = np.linalg.inv(information[np.ix_(free, free)])
    close(res.cov_params() / unit / unit[:, None], expected / unit / unit[:, None], SAME_MAXIMUM)


# -- sums over rows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [7, 64, 240])
@each_problem
def test_blocks_add_up_to_the_whole(problem, rows):
    model = problem.build(problem.frame(), freq_weights="counts")
    z = model._z(point(fitted(problem), 0.7))
    for part, total in zip(
        row_sums(lambda b: model.block_sums(z, b, 2), model.rows, rows), model.sums(z, 2), strict=True
    ):
        close(part, total, SAME_SUM, unit=float(total.abs().max()))
    weights = model.rows.freq_weights[:, None]
    close(row_map(lambda b: model.block_scores(z, b), model.rows, rows) * weights, model.scores(z), SAME_SUM)


def expected_exists(problem):
    """Whether a model has an expected information: not under censoring, which it would depend on."""
    return problem.model is not tm.ExponentialSurvival


def shard_results(problem, df, **more):
    res = problem.fit(df, **more)
    robust = [res.with_covariance(name) for name in ("HC0", "HC1", "opg")]
    robust.append(res.with_covariance("cluster", {"groups": "firm"}))
    robust.append(res.with_covariance("cluster", {"groups": ["firm", "year"]}))
    robust += [res.with_covariance("eim")] * expected_exists(problem)
    return {
        "numbers": [res.llf, res.aic, res.nobs, res.df_resid, res.df_model, res.scale, res.converged],
        "params": res.params_array,
        "start": res.model.start().numpy(),
        "bse": [res._bse, *(r._bse for r in robust)],
        "groups": [r.cov_kwds.get("n_groups", ()) for r in robust],
        "rows": res.llf_obs,
    }


def several_frame():
    df = BY_NAME["gumbel"].frame()
    return df.assign(a=df["y"], b=df["x"] - df["y"] ** 2)


def far_and_incomplete(df):
    """Columns that need centring, and groups that are missing in the first and third row alone."""
    half = np.where(df.index % 2 == 0, 1.0, df["x"] > 0)
    holes = df["firm"].astype(float).where(~df.index.isin([0, 2]))
    return df.assign(x=1e8 + df["x"], w=-1e6 + df["w"], holes=holes, half=half)


def incomplete_results(df, **more):
    kwds = {"cov_type": "cluster", "cov_kwds": {"groups": "holes"}}
    df = far_and_incomplete(df)
    no_constant = "y ~ half + x - 1"  # half is one in all rows of the first process, but not in the second
    for name, formula in (
        ("ols", None),
        ("gumbel", None),
        ("mvnormal-x", None),
        ("ols", no_constant),
        ("normal", no_constant),
    ):
        model = BY_NAME[name].build(df, formula, **more)
        all_rows, res = model.fit(), model.fit(**kwds)
        yield [
            *res.params_array,
            *res._bse,
            all_rows.nobs,
            res.llf,
            res.nobs,
            res.df_model,
            res.df_resid,
            res.df_inference,
        ]


class FromOneOn(tm.RegressionModel):
    """Poisson counts without zeros."""

    parameters = {"mu": tm.Log()}

    def loglike_obs(self, p, data):
        return data.y * p.real.mu - p.mu - torch.lgamma(data.y + 1) - torch.log(-torch.expm1(-p.mu))


def expected_errors(df, **more):
    """Standard errors by the expected information, of counts among which one process sees no one."""
    positive = df.assign(y=np.where(df.index % 2, 2.0 + df.index % 5, 1.0 + df.index % 3))
    return FromOneOn.from_formula("y ~ x", positive, **more).fit(cov_type="eim")._bse


def column_effects(df, at="overall", **more):
    """Of a dummy that is one in all rows of the first process, and of a count that is a dummy there."""
    columns = {"half": far_and_incomplete(df)["half"], "k": np.where(df.index % 2, df.index % 5, df.index % 4 // 2)}
    model = tm.Poisson.from_formula("y ~ half + k + w", df.assign(y=df.index % 4, **columns), **more)
    effects = model.fit(disp=False).get_margeff(at=at, dummy=True, count=at == "overall")
    return [effects.margeff, effects.margeff_se]


def work(rank, names, folder):
    """Fit every problem to every second row, together with the other process."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2, timeout=dt.timedelta(seconds=20)
    )
    found = {}
    for name in names:
        try:
            df = BY_NAME[name].frame()[rank::2]
            found[name] = shard_results(BY_NAME[name], df, process_group=True, freq_weights="counts")
        except Exception:  # noqa: BLE001 - whatever it is, the test shows it
            found[name] = traceback.format_exc()
            break  # the other process waits for sums that will not come
    torch.save(found, f"{folder}/{rank}.pt")
    found.update(beyond_the_table(several_frame()[rank::2], rank))
    torch.save(found, f"{folder}/{rank}.pt")


def beyond_the_table(df, rank):
    """Centres, groups missing in one process alone, and what processes cannot share."""
    other_levels = df[df["g"] != "abc"[rank]]  # the same labels for columns with another base
    lags = {"cov_type": "HAC", "cov_kwds": {"maxlags": 2}}
    return {
        "far and incomplete": list(incomplete_results(df, process_group=True)),
        "expected": expected_errors(df, process_group=True),
        "margins": column_effects(df, process_group=True),
        "levels": refusal(lambda: tm.OLS.from_formula("y ~ C(g)", other_levels, process_group=True)),
        "center": refusal(lambda: tm.OLS.from_formula("y ~ center(x)", df, process_group=True)),
        "overall": refusal(lambda: column_effects(df, "mean", process_group=True)),
        "one process": refusal(lambda: BY_NAME["ols"].fit(df, process_group=True, fitting=lags)),
    }


def refusal(function):
    """The words of the ValueError that a function ends in."""
    with pytest.raises(ValueError) as caught:
        function()
    return str(caught.value)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=(rank, NAMES, str(folder))) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    return [torch.load(f"{folder}/{rank}.pt", weights_only=False) for rank in (0, 1)]


@each_problem
def test_two_processes_are_one(problem, shards):
    parts = [shard.get(problem.name, "not reached") for shard in shards]
    for part in parts:
        assert not isinstance(part, str), part
    expected = shard_results(problem, problem.frame(), freq_weights="counts")
    unit = np.where(expected["bse"][0] > 0, expected["bse"][0], 1.0)
    for rank, part in enumerate(parts):
        close(part["numbers"], expected["numbers"], SAME_MAXIMUM)
        close(part["params"] / unit, expected["params"] / unit, SAME_MAXIMUM)
        close(part["start"], expected["start"], SAME_MAXIMUM)
        close(np.array(part["bse"]) / unit, np.array(expected["bse"]) / unit, SAME_MAXIMUM)
        close(part["rows"], expected["rows"][rank::2], SAME_MAXIMUM)
        assert part["groups"] == expected["groups"]
    assert all((one == other).all() for one, other in zip(parts[0]["bse"], parts[1]["bse"], strict=True))


def test_two_processes_agree_on_centres_and_on_rows_to_leave_out(shards):
    for shard in shards:
        for found, expected in zip(shard["far and incomplete"], incomplete_results(several_frame()), strict=True):
            close(found, expected, SAME_MAXIMUM, unit=0)


def test_two_processes_see_the_responses_of_both(shards):
    for shard in shards:
        close(shard["expected"], expected_errors(several_frame()), SAME_MAXIMUM, unit=0)


def test_two_processes_see_the_columns_of_both(shards):
    for shard in shards:
        for found, expected in zip(shard["margins"], column_effects(several_frame()), strict=True):
            close(found, expected, SAME_MAXIMUM)


def test_two_processes_refuse_what_they_cannot_share(shards):
    for shard in shards:
        for words in ("levels", "center", "overall", "one process"):
            assert words in shard[words]


# -- rows ------------------------------------------------------------------------------------------------------

COVARIANCES = [
    ("nonrobust", None),
    ("opg", None),
    ("HC0", None),
    ("HC1", None),
    ("HC1", {"convention": "stata"}),
    ("HC2", None),
    ("HC3", None),
    ("cluster", {"groups": "firm"}),
    ("cluster", {"groups": "firm", "convention": "stata"}),
    ("cluster", {"groups": ["firm", "year"]}),
    ("survey", {"strata": "year", "psu": "firm", "lonely_psu": "certainty"}),
]


def covariances(problem):
    return COVARIANCES + [("eim", None)] * expected_exists(problem)


@each_problem
def test_the_order_of_rows_does_not_matter(problem):
    df = problem.frame()
    shuffled = df.sample(frac=1, random_state=1)
    one, other = problem.fit(shuffled), fitted(problem)
    for cov_type, kwds in covariances(problem):
        same_fit(one.with_covariance(cov_type, kwds), other.with_covariance(cov_type, kwds))
    positions = df.index.get_indexer(shuffled.index)
    close(one.llf_obs, other.llf_obs[positions], SAME_MAXIMUM)


@each_problem
def test_a_frequency_weight_repeats_a_row(problem):
    df = problem.frame()
    weighted = problem.fit(df, freq_weights="counts")
    repeated = problem.fit(df.loc[df.index.repeat(df["counts"].astype(int))].reset_index(drop=True))
    for cov_type, kwds in covariances(problem):
        same_fit(weighted.with_covariance(cov_type, kwds), repeated.with_covariance(cov_type, kwds))


@each_problem
def test_all_rows_twice_is_a_weight_of_two(problem):
    df = problem.frame()
    twice = problem.fit(pd.concat([df, df], ignore_index=True), freq_weights=None)
    same_fit(problem.fit(df.assign(two=2.0), freq_weights="two"), twice)
    held = problem.held(fitted(problem))  # whose degrees of freedom the rows do not double
    close(twice.model.loglike(twice.params_array, **held) if held else twice.llf, 2 * fitted(problem).llf, SAME_MAXIMUM)


# -- columns ---------------------------------------------------------------------------------------------------

MOVED = [problem for problem in PROBLEMS if problem.name not in ("mvnormal", "mixture")]


@pytest.mark.parametrize("problem", [p for p in MOVED if p.reordered != p.formula], ids=repr)
def test_labels_follow_the_columns(problem):
    df = problem.frame()
    other = problem.fit(df, problem.reordered)
    assert other.names != fitted(problem).names
    same_fit(other, fitted(problem))


@pytest.mark.parametrize(("a", "b"), [(0.0, 1e-6), (0.0, 1e6), (-50.0, 1.0), (1e8, 1.0), (-1e2, 1e-6), (1e14, 1e6)])
@pytest.mark.parametrize("problem", MOVED, ids=repr)
def test_moved_and_stretched_columns(problem, a, b):
    """With x' = a + b x: slopes are divided by b, and a slope times a moves into the constant."""
    if not problem.centres and abs(a) > 100 * b:
        pytest.skip("no constant to take up the centre")
    df = problem.frame()
    moved = df.assign(x=a + b * df["x"], w=a + b * df["w"])
    df = df.assign(x=(moved["x"] - a) / b, w=(moved["w"] - a) / b)  # what rounding left of them
    base, res = problem.fit(df), problem.fit(moved)
    # the map of the labelled parameters, theta = T theta'
    change = pd.DataFrame(np.eye(len(base.names)), index=base.names, columns=base.names)
    for name in base.names:
        found = re.fullmatch(r"(|.*[\[_])(x|w)(\]?)", name)
        if found:
            change.loc[name, name] = b
            constant = f"{found[1]}Intercept{found[3]}"
            if constant in change.index:
                change.loc[constant, name] = a
            change.loc[["/" in label for label in base.names], name] = -a  # thresholds
    if not problem.centres:
        # thresholds take up the centres
        moved_by = [a / b * (base.params["x"] + base.params["w"]) * name.startswith("cut") for name in base.names]
        close(change.to_numpy() @ res.params, base.params + moved_by, 10 * SAME_MAXIMUM)
        return
    back = np.linalg.inv(change.to_numpy())
    params, covariance = back @ base.params_array, back @ base.covariance_array @ back.T
    unit = np.sqrt(np.diag(covariance))
    unit = np.where(unit > 0, unit, 1.0)
    close(res.params_array / unit, params / unit, SAME_MAXIMUM)
    close(res.covariance_array / unit / unit[:, None], covariance / unit / unit[:, None], SAME_MAXIMUM)
    close(res.llf, base.llf, SAME_MAXIMUM)


@pytest.mark.parametrize("c", [1e-4, 1e4])
@pytest.mark.parametrize("problem", [p for p in PROBLEMS if p.scales], ids=repr)
def test_a_response_in_other_units(problem, c):
    """Standard errors are in the units of their estimates."""
    df = problem.frame()
    base = fitted(problem)
    factor = np.array([c if name in problem.scales else 1.0 for name in base.names])
    fitting = {"start_params": np.multiply(problem.fitting["start_params"], factor)} if problem.fitting else {}
    res = problem.fit(df.assign(y=c * df["y"]), fitting=fitting)
    unit = factor * base._bse
    close(res.params_array / unit, factor * base.params_array / unit, SAME_MAXIMUM)
    close(res._bse, unit, SAME_MAXIMUM, unit=0)
    close(res.tvalues, base.tvalues, SAME_MAXIMUM)
    close(res.llf, base.llf - len(df) * np.log(c), SAME_MAXIMUM)


# -- restrictions ----------------------------------------------------------------------------------------------

VALUES = {
    **dict.fromkeys(("x", "a[x]", "low", "sigma[w]", "scale[w]", "Intercept", "a[Intercept]"), 0.4),
    **dict.fromkeys(("sigma", "df", "concentration"), 1.7),
    **dict.fromkeys(("share", "alpha"), 0.3),
    "inflate_w": 0.5,
}
FIXED = [(problem, name, VALUES[name]) for problem in PROBLEMS for name in problem.truth if name in VALUES]


def main_names(res):
    """Labels of the coefficients of the main predictor."""
    return res.model.layout.blocks[0].labels


@pytest.mark.parametrize(("problem", "name", "value"), FIXED, ids=lambda value: str(value))
def test_a_fixed_value_leaves_the_others_at_their_maximum(problem, name, value):
    res = problem.fit(problem.frame(), fitting={"fix": {name: value}})
    at, held = res.names.index(name), [*np.flatnonzero(fitted(problem).fixed), res.names.index(name)]
    free = np.array([i not in held for i in range(len(res.names))])
    assert res.converged
    close(res.params_array[at], value, SAME_SUM)
    assert res._bse[at] == 0 and (res._bse[free] > 0).all()
    counted = [name in main_names(res) for name in np.array(res.names)[free]]
    assert res.df_resid == res.nobs - (sum(counted) if isinstance(res, CountResults) else free.sum())
    close(res.aic, -2 * res.llf + 2 * free.sum(), SAME_SUM)
    held = problem.held(fitted(problem))
    assert (res.model.loglike(res.params_array, **held) if held else res.llf) <= fitted(problem).llf + 1e-9
    unit = res._bse[free]
    close(res.score()[free] * unit, np.zeros(free.sum()), SAME_MAXIMUM)
    hessian = res.model.hessian(res.params_array, scale=res.scale) if res.model.linear else res.hessian()
    information = -hessian[np.ix_(free, free)] * unit * unit[:, None]
    close(res.covariance_array[np.ix_(free, free)] / unit / unit[:, None], np.linalg.inv(information), SAME_MAXIMUM)


def offset_fit(problem, df, value):
    """The fit without x whose linear predictor has the part value * x in another way."""
    formula = problem.formula.replace("x + ", "")
    known = df.get("off", 0.0)
    return problem.fit(df.assign(known=known + value * df["x"]), formula, offset="known")


OFFSETS = [p for p in REGRESSIONS if "offset" in p.model.row_arguments]


@pytest.mark.parametrize("problem", OFFSETS, ids=repr)
def test_a_fixed_slope_is_an_offset(problem):
    df = problem.frame()
    fixed, offset = problem.fit(df, fitting={"fix": {"x": 0.4}}), offset_fit(problem, df, 0.4)
    kept = [i for i, name in enumerate(fixed.names) if name != "x"]
    assert [fixed.names[i] for i in kept] == offset.names
    unit = standard_errors(offset)
    close(fixed.params_array[kept] / unit, offset.params_array / unit, SAME_MAXIMUM)
    for cov_type, kwds in covariances(problem):
        one, other = fixed.with_covariance(cov_type, kwds), offset.with_covariance(cov_type, kwds)
        close(one._bse[kept] / unit, other._bse / unit, SAME_MAXIMUM)
    close(
        [fixed.llf, fixed.aic, fixed.bic, fixed.scale], [offset.llf, offset.aic, offset.bic, offset.scale], SAME_MAXIMUM
    )
    assert (fixed.df_resid, fixed.df_model) == (offset.df_resid, offset.df_model)


@pytest.mark.parametrize("name", ["ols", "normal", "poisson"])
def test_a_fixed_constant_is_no_constant(name):
    problem, df = BY_NAME[name], BY_NAME[name].frame().assign(x=lambda df: 1000 + df["x"])
    fixed, without = problem.fit(df, fitting={"fix": {"Intercept": 0.0}}), problem.fit(df, problem.formula + " - 1")
    kept = [i for i, label in enumerate(fixed.names) if label != "Intercept"]
    unit = standard_errors(without)
    close(fixed.params_array[kept] / unit, without.params_array / unit, SAME_MAXIMUM)
    close(fixed._bse[kept] / unit, without._bse / unit, SAME_MAXIMUM)
    assert fixed.params["Intercept"] == pytest.approx(0, abs=1e-9)
    assert fixed.bse["Intercept"] == 0
    assert list(np.flatnonzero(fixed.fixed)) == [fixed.names.index("Intercept"), *np.flatnonzero(fitted(problem).fixed)]
    assert (fixed.df_resid, fixed.df_model) == (without.df_resid, without.df_model)
    close([fixed.llf, fixed.aic], [without.llf, without.aic], SAME_MAXIMUM)


# -- files and side effects ------------------------------------------------------------------------------------


def same_labels_and_numbers(one, other):
    same = pd.testing.assert_frame_equal if isinstance(other, pd.DataFrame) else pd.testing.assert_series_equal
    same(one, other, rtol=0, atol=0)


@each_problem
def test_a_saved_result_says_the_same(problem, tmp_path):
    res, df = fitted(problem), problem.frame()
    res.save(tmp_path / "fit")
    loaded = tm.load(tmp_path / "fit", model=problem.model)
    assert type(loaded) is type(res)
    assert loaded.names == res.names
    for name in ("params", "bse", "tvalues", "pvalues"):
        same_labels_and_numbers(getattr(loaded, name), getattr(res, name))
    pd.testing.assert_frame_equal(loaded.conf_int(), res.conf_int(), rtol=0, atol=0)
    assert (loaded.llf, loaded.aic, loaded.bic, loaded.nobs) == (res.llf, res.aic, res.bic, res.nobs)
    assert (loaded.df_model, loaded.df_resid, loaded.scale) == (res.df_model, res.df_resid, res.scale)
    assert loaded.converged
    if hasattr(problem.model, "predict_rows") or problem.model is tm.MVNormal:
        new = problem.frame(seed=5, n=20)
        assert (np.asarray(loaded.predict(new)) == np.asarray(res.predict(new))).all()
    del df


@each_problem
def test_a_second_fit_changes_nothing(problem):
    df = problem.frame()
    untouched = df.copy(deep=True)
    model = problem.build(df)
    options = {"disp": False, **problem.fitting}
    first = model.fit(**options)
    before = copy.deepcopy(
        (first.params_array, first._bse, first.llf, first.llf_obs, first.score_obs(), first.optim.x.numpy())
    )
    model.fit(**{**options, "method": "bfgs", "cov_type": "HC1"})
    problem.fit(problem.frame(seed=9))
    after = (first.params_array, first._bse, first.llf, first.llf_obs, first.score_obs(), first.optim.x.numpy())
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    pd.testing.assert_frame_equal(df, untouched)


@each_problem
def test_what_a_result_gives_is_the_callers(problem):
    res = problem.fit(problem.frame())
    before = res.params.copy(), res.bse.copy(), res.cov_params().copy(), res.llf_obs.copy()
    for given in (res.params, res.bse, res.tvalues):
        given.iloc[0] = 99.0
    covariance = res.cov_params()
    covariance.iloc[0, 0] = 99.0
    res.llf_obs[0] = 99.0
    same_labels_and_numbers(res.params, before[0])
    same_labels_and_numbers(res.bse, before[1])
    pd.testing.assert_frame_equal(res.cov_params(), before[2])
    assert (res.llf_obs == before[3]).all()
    with pytest.raises(AttributeError, match="frozen"):
        res.params = None


def test_arrays_of_a_result_are_the_callers():
    df = BY_NAME["ols"].frame()
    res = tm.OLS(df["y"].to_numpy(), np.column_stack([np.ones(len(df)), df["x"]])).fit()
    before = res.params.copy(), res.bse.copy(), res.cov_params().copy()
    for given in (res.params, res.bse, res.tvalues, res.cov_params()):
        given[0] = 99.0
    assert (res.params == before[0]).all() and (res.bse == before[1]).all() and (res.cov_params() == before[2]).all()


def global_state():
    return (
        torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled(), torch.initial_seed(),
        torch.get_rng_state().tolist(), torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision(),
        str(np.random.get_state()), random.getstate(), np.geterr(), pd.get_option("mode.copy_on_write"),
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:cov_type='cluster' with var_weights")
@each_problem
def test_fitting_changes_no_global_state(problem):
    before = global_state()
    res = problem.fit(problem.frame(seed=2), fitting={"cov_type": "cluster", "cov_kwds": {"groups": "firm"}})
    res.summary()
    assert global_state() == before


@each_problem
def test_the_callers_torch_settings_do_not_matter(problem):
    expected = fitted(problem)
    with torch.no_grad():
        same_fit(problem.fit(problem.frame()), expected, SAME_SUM)
    default, threads = torch.get_default_dtype(), torch.get_num_threads()
    try:
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(1)
        same_fit(problem.fit(problem.frame()), expected, SAME_SUM)
    finally:
        torch.set_default_dtype(default)
        torch.set_num_threads(threads)


# -- the truth -------------------------------------------------------------------------------------------------


def deviations(problem, repetitions, n):
    """Standardised errors of the free parameters, and their joint squared length, by repetition."""
    errors, lengths = [], []
    for seed in range(repetitions):
        res = problem.fit(problem.frame(seed=1000 + seed, n=n))
        free = ~res.fixed
        error = (res.params_array - pd.Series(problem.truth)[res.names].to_numpy())[free]
        errors.append(error / res._bse[free])
        lengths.append(error @ np.linalg.solve(res.covariance_array[np.ix_(free, free)], error))
    return np.array(errors), np.array(lengths)


@each_problem
def test_the_truth_is_as_far_as_standard_errors_say(problem):
    """Wald statistics of the truth are chi-squared: neither too far nor too near in sum over six samples."""
    errors, lengths = deviations(problem, 6, 400)
    assert 0.001 < stats.chi2.cdf(lengths.sum(), errors.size) < 0.999


@pytest.mark.filterwarnings("ignore:alpha is negative")  # in some of the samples of the generalized Poisson
@pytest.mark.slow
@each_problem
def test_intervals_cover_the_truth_as_often_as_they_say(problem):
    errors, lengths = deviations(problem, 400, 600)
    low, high = stats.binom.ppf([1e-4, 1 - 1e-4], 400, 0.95)
    covered = (np.abs(errors) < stats.norm.ppf(0.975)).sum(0)
    assert (covered >= low - 4).all() and (covered <= high).all()  # four less for what n = 600 is not infinite
    assert low - 4 <= (lengths < stats.chi2.ppf(0.95, errors.shape[1])).sum() <= high
