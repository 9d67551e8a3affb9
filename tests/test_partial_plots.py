"""Residuals of one column: against statsmodels 0.15, R's lowess and what the theory says; plots hold these numbers."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm_reference
from matplotlib import pyplot as plt
from statsmodels.graphics import regressionplots
from statsmodels.nonparametric.smoothers_lowess import lowess as lowess_reference

import torchmle.api as sm
from torchmle.inference.partial import added_variable_residuals, ceres_residuals, partial_residuals
from torchmle.inference.smooth import lowess

mpl.use("Agg")


@pytest.fixture(autouse=True)
def no_figure_left():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(1)
    df = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
    df["c"] += df["a"] ** 2
    df["y"] = rng.poisson(np.exp(0.3 + 0.4 * df["a"] - 0.2 * df["b"] + 0.1 * df["c"]))
    df["w"] = rng.uniform(0.5, 2, size=200)
    return df


@pytest.fixture(scope="module")
def poisson(frame):
    return sm.GLM.from_formula("y ~ a + b + c", frame, family=sm.families.Poisson()).fit()


@pytest.fixture(scope="module")
def reference(frame):
    design = sm_reference.add_constant(frame[["a", "b", "c"]]).to_numpy()
    return sm_reference.GLM(frame["y"].to_numpy(), design, family=sm_reference.families.Poisson()).fit(tol=1e-12)


def test_lowess_is_rs():
    """R 4.x: lowess(cars)$y at the different speeds."""
    speed = np.repeat(
        [4, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24, 25],
        [2, 2, 1, 1, 3, 2, 4, 4, 4, 3, 2, 3, 4, 3, 5, 1, 1, 4, 1],
    )
    stop = [
        2,
        10,
        4,
        22,
        16,
        10,
        18,
        26,
        34,
        17,
        28,
        14,
        20,
        24,
        28,
        26,
        34,
        34,
        46,
        26,
        36,
        60,
        80,
        20,
        26,
        54,
        32,
        40,
    ]
    stop += [32, 40, 50, 42, 56, 76, 84, 36, 46, 68, 32, 48, 52, 56, 64, 66, 54, 70, 92, 93, 120, 85]
    known = [
        4.965459,
        13.124495,
        15.858633,
        18.579691,
        21.280313,
        24.129277,
        27.119549,
        30.027276,
        32.962506,
        36.757728,
    ]
    known += [40.435075, 43.463492, 46.885479, 50.793152, 56.491224, 67.585824, 73.079695, 78.643164, 84.328698]
    curve = lowess(stop, speed)
    np.testing.assert_allclose(curve[np.unique(speed, return_index=True)[1]], known, atol=6e-7)


@pytest.mark.parametrize(("n", "frac"), [(50, 0.66), (300, 0.3), (2000, 0.1)])
def test_lowess_is_statsmodels(n, frac):
    rng = np.random.default_rng(n)
    x = rng.normal(size=n)
    y = np.sin(2 * x) + 0.3 * rng.standard_t(2, size=n)
    known = lowess_reference(y, x, frac=frac, return_sorted=False)
    np.testing.assert_allclose(lowess(y, x, frac), known, atol=3e-7)  # weights below 1e-8 are zero or not


def test_lowess_of_a_line_is_the_line():
    x = np.random.default_rng(0).permutation(40) * 1.0
    np.testing.assert_allclose(lowess([1.0, 2, 3], np.zeros(3), 1.0), 2)  # no slope to be had
    with pytest.raises(ValueError, match=r"frac=0.01 of 40 points makes neighbourhoods of 0"):
        lowess(x, x, 0.01)


@pytest.mark.parametrize("weighted", [True, False])
def test_added_variable_residuals(poisson, reference, weighted):
    ours = added_variable_residuals(poisson, "b", use_glm_weights=weighted)
    theirs = regressionplots.added_variable_resids(reference, 2, use_glm_weights=weighted)
    np.testing.assert_allclose(ours, theirs, atol=1e-8)
    ours = added_variable_residuals(poisson, 2, "resid_pearson", weighted)
    theirs = regressionplots.added_variable_resids(reference, 2, "resid_pearson", weighted)
    np.testing.assert_allclose(ours, theirs, atol=1e-8)


def test_partial_and_ceres_residuals(poisson, reference):
    np.testing.assert_allclose(partial_residuals(poisson, "a"), regressionplots.partial_resids(reference, 1), atol=1e-8)
    np.testing.assert_allclose(
        ceres_residuals(poisson, "a"), regressionplots.ceres_resids(reference, 1), atol=1e-6
    )  # smooth
    means = np.ones((200, 0))
    np.testing.assert_allclose(
        ceres_residuals(poisson, "a", cond_means=means), regressionplots.ceres_resids(reference, 1, cond_means=means)
    )


def test_slope_of_added_variable_is_the_coefficient(frame):
    """Frisch and Waugh (1933), with weights."""
    results = sm.WLS(frame["y"], sm.add_constant(frame[["a", "b", "c"]]), weights=frame["w"]).fit()
    response, focus = added_variable_residuals(results, "b")
    assert np.average(response * focus, weights=frame["w"]) / np.average(focus**2, weights=frame["w"]) == pytest.approx(
        results.params["b"], abs=1e-12
    )
    partial = partial_residuals(results, "b")
    np.testing.assert_allclose(partial, results.resid + results.params["b"] * frame["b"], atol=1e-12)


def test_weights_of_a_glm_count(frame):
    """The column is left orthogonal to the others under the weights of the information, given weights included."""
    family = sm.families.Gamma(sm.families.links.Log())
    results = sm.GLM.from_formula("w ~ a + b + c", frame, family=family, var_weights=frame["y"] + 1).fit()
    _, focus = added_variable_residuals(results, "c")
    others = results.model.exog[:, :3]
    np.testing.assert_allclose((frame["y"] + 1).to_numpy() * focus @ others, 0, atol=1e-9)  # log link: weights of 1


def test_plots_hold_the_residuals(poisson, frame):
    figure = poisson.plot_added_variable("b")
    drawn = figure.axes[0].lines[0].get_xydata()
    np.testing.assert_array_equal(drawn, np.column_stack(added_variable_residuals(poisson, "b")[::-1]))
    assert figure.axes[0].get_xlabel() == "b, given the others"
    figure = poisson.plot_partial_residuals(1)
    expected = np.column_stack([frame["a"], partial_residuals(poisson, "a")])
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xydata(), expected)
    ax = plt.figure().subplots()
    assert poisson.plot_ceres_residuals("a", frac=0.5, ax=ax) is ax.figure
    expected = np.column_stack([frame["a"], ceres_residuals(poisson, "a", 0.5)])
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), expected)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a", "CERES residual")


def test_what_is_refused(poisson, frame):
    with pytest.raises(ValueError, match="'z' is no column of the design; its columns are Intercept, a, b, c"):
        poisson.plot_partial_residuals("z")
    with pytest.raises(ValueError, match="GLM has no residuals 'resid_odd'"):
        poisson.plot_added_variable("a", resid_type="resid_odd")
    with pytest.raises(ValueError, match=r"cond_means must be \(200, columns\)"):
        poisson.plot_ceres_residuals("a", cond_means=np.ones(3))
    alone = sm.OLS(frame["y"], frame[["a"]]).fit()
    with pytest.raises(ValueError, match="'a' is the only column"):
        alone.plot_added_variable("a")
    with pytest.raises(ValueError, match="the fit to the other columns did not converge"):
        poisson.plot_added_variable("a", fit_kwargs={"maxiter": 1, "warn_convergence": False})
