"""fit(): options, interruption, announcements, devices; what it returns is frozen."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import special, stats

import torchmle as tm
from torchmle.errors import (
    ConvergenceWarning,
    FitInterrupted,
    PerfectSeparationWarning,
    PrecisionWarning,
    RankWarning,
    SpecificationWarning,
)
from torchmle.fitting.constraints import read_restrictions
from torchmle.fitting.maximum import beginning
from torchmle.optim import Status


@pytest.fixture
def frame():
    rng = np.random.default_rng(7)
    x = rng.normal(size=300)
    return pd.DataFrame({"x": x, "z": rng.normal(size=300), "y": rng.poisson(np.exp(0.3 + 0.5 * x)).astype(float)})


def poisson(frame, **options):
    return tm.Poisson.from_formula("y ~ x + z", frame).fit(disp=False, **options)


def test_unknown_option_lists_the_known_ones(frame):
    with pytest.raises(TypeError, match=r"'covtype'.*cov_type"):
        poisson(frame, covtype="HC1")
    with pytest.raises(TypeError, match="covtype"):
        tm.OLS.from_formula("y ~ x", frame).fit(covtype="HC1")


def test_unknown_method_and_covariance_list_the_known_ones(frame):
    with pytest.raises(ValueError, match="newton.*l-bfgs"):
        poisson(frame, method="newtn")
    with pytest.raises(ValueError, match="HC3"):
        poisson(frame, cov_type="HC4")
    with pytest.raises(TypeError, match="groups"):
        poisson(frame, cov_type="cluster", cov_kwds={"group": "x"})


def test_unknown_constructor_argument_lists_the_known_ones(frame):
    with pytest.raises(TypeError, match="exposure"):
        tm.Poisson.from_formula("y ~ x", frame, exposre="z")
    with pytest.raises(TypeError, match="freq_weights"):
        tm.Poisson.from_formula("y ~ x", frame, weights="z")


@pytest.mark.parametrize(
    "method",
    [
        "bfgs",
        "l-bfgs",
        "lbfgs",
        "cg",
        "newton-cg",
        "ncg",
        "newton-exact",
        "dogleg",
        "trust-ncg",
        "trust-exact",
        "nm",
        "powell",
    ],
)
def test_every_method_reaches_the_same_maximum(frame, method):
    reference, other = poisson(frame), poisson(frame, method=method)
    assert other.converged
    np.testing.assert_allclose(other.params, reference.params, rtol=0, atol=1e-9 * float(reference.bse.min()))
    np.testing.assert_allclose(other.bse, reference.bse, rtol=1e-9)


@pytest.mark.parametrize("method", ["sgd", "adam"])
def test_first_order_methods_reach_it_in_batches(frame, method):
    reference, other = poisson(frame), poisson(frame, method=method, batch_size=64)
    np.testing.assert_allclose(other.params, reference.params, atol=1e-8)


def test_broken_method_is_refused_with_the_reason(frame):
    with pytest.raises(ValueError, match="broken"):
        poisson(frame, method="trust-krylov")


class Interrupted(tm.RegressionModel):
    """Ctrl-C after a number of evaluations."""

    parameters = {"mu": tm.Log()}
    calls = 0
    stop = 0

    def loglike_obs(self, p, data):
        type(self).calls += 1
        if type(self).calls == type(self).stop:
            raise KeyboardInterrupt
        return data.y * p.real.mu - p.mu


@pytest.mark.parametrize("method", ["newton", "l-bfgs", "trust-exact", "adam", "nm"])
def test_interrupt_leaves_with_what_was_reached(frame, method):
    Interrupted.calls, Interrupted.stop = 0, 0
    model = Interrupted.from_formula("y ~ x", frame)
    beginning(model, read_restrictions(model.layout, {}, None, None), None)
    Interrupted.stop, Interrupted.calls = Interrupted.calls + 4, 0
    with pytest.raises(FitInterrupted) as caught:
        model.fit(method=method)
    assert set(caught.value.params) == {"Intercept", "x"}
    assert np.isfinite(list(caught.value.params.values())).all()
    assert not caught.value.optimum.converged


def test_interrupt_while_starting(frame):
    Interrupted.calls, Interrupted.stop = 0, 1
    with pytest.raises(FitInterrupted, match="before"):
        Interrupted.from_formula("y ~ x", frame).fit()


def test_too_few_iterations_is_said_everywhere(frame):
    frame["y"] *= 1000
    with pytest.warns(ConvergenceWarning):
        result = poisson(frame, maxiter=1, start_params=[0.0, 0.0, 0.0])
    assert result.converged is False
    assert "Not converged" in str(result.summary()).splitlines()[1]


def test_collinear_columns_are_named_first(frame):
    frame["twice"] = 2 * frame["x"]
    with pytest.warns(RankWarning, match="twice"):
        result = tm.OLS.from_formula("y ~ x + twice + z", frame).fit()
    assert np.isnan(result.params["twice"]) and np.isnan(result.bse["twice"])
    assert "twice" in str(result.summary()).splitlines()[1]
    reduced = tm.OLS.from_formula("y ~ x + z", frame).fit()
    np.testing.assert_allclose(result.fittedvalues, reduced.fittedvalues, rtol=1e-12)
    np.testing.assert_allclose(result.bse[reduced.params.index], reduced.bse, rtol=1e-12)


def test_results_are_frozen(frame):
    result = poisson(frame)
    with pytest.raises(AttributeError, match="frozen"):
        result.params = 3
    with pytest.raises(AttributeError):
        result.fit.model = None


def test_second_fit_changes_nothing(frame):
    model = tm.Poisson.from_formula("y ~ x", frame)
    first = model.fit(disp=False)
    before = first.params.copy(), first.bse.copy(), first.llf
    model.fit(disp=False, cov_type="HC0", start_params=[1.0, 1.0])
    pd.testing.assert_series_equal(first.params, before[0])
    pd.testing.assert_series_equal(first.bse, before[1])
    assert first.llf == before[2]


def test_no_covariance_until_asked(frame):
    result = poisson(frame, cov_type=None)
    with pytest.raises(ValueError, match="with_covariance"):
        result.bse  # noqa: B018
    np.testing.assert_array_equal(result.with_covariance("nonrobust").bse, poisson(frame).bse)


def test_disp_prints_as_statsmodels(frame, capsys):
    tm.Poisson.from_formula("y ~ x", frame).fit()
    out = capsys.readouterr().out
    assert out.startswith("Optimization terminated successfully.\n         Current function value: ")
    poisson(frame)
    tm.OLS.from_formula("y ~ x", frame).fit()
    assert capsys.readouterr().out == ""


def test_callback_sees_each_iteration(frame):
    seen = []
    result = poisson(frame, callback=seen.append)
    assert len(seen) == result.optim.iterations
    np.testing.assert_allclose(seen[-1], result.params, atol=1e-6)


def test_progress_shows_a_bar(frame, capsys):
    poisson(frame, progress=True)
    assert "it" in capsys.readouterr().err


def test_float32_data_land_near(frame):
    with pytest.warns(PrecisionWarning):
        single = tm.Poisson.from_formula("y ~ x + z", frame, dtype=torch.float32).fit(disp=False)
    double = poisson(frame)
    assert np.abs((single.params - double.params) / double.bse).max() < 1e-4
    assert single.params.dtype == np.float64


def test_missing_devices_are_explained(frame):
    with pytest.warns(PrecisionWarning, match="MPS"):
        assert tm.OLS.from_formula("y ~ x", frame, device="mps").fit().device.type == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="CUDA"):
            tm.OLS.from_formula("y ~ x", frame, device="cuda")


def test_no_global_state_changes(frame):
    before = torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled(), torch.get_rng_state()
    with torch.no_grad():
        poisson(frame, cov_type="HC3").summary()
        assert not torch.is_grad_enabled()
    after = torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled(), torch.get_rng_state()
    assert before[:3] == after[:3] and torch.equal(before[3], after[3])


def test_no_warning_on_a_good_fit(frame):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        poisson(frame).summary()


def test_a_value_held_fixed_has_no_test(frame):
    result = poisson(frame, fix={"z": 0.5})
    assert np.isnan(result.tvalues["z"]) and np.isnan(result.t_test("z = 0").pvalue)


def test_batches_are_refused_over_processes(frame):
    model = tm.Poisson.from_formula("y ~ x", frame)
    objective, start = beginning(model, read_restrictions(model.layout, {}, None, None), None)
    grouped = type(objective)(model, objective.coordinates)
    model._rows = model.rows.with_group(True)
    with pytest.raises(ValueError, match="process_group"):
        grouped.batch_gradient(start, slice(0, 10))


FAR_STARTS = {"Logit": -100.0, "Probit": 30.0, "Poisson": 30.0}


@pytest.mark.parametrize("name", FAR_STARTS)
def test_a_start_far_out_says_nothing_of_the_data(name):
    """Where the likelihood is flat or overflows a search tells of its start; the data are not separated."""
    rng = np.random.default_rng(12)
    x = np.column_stack([np.ones(100), rng.normal(size=(100, 2))])
    eta = x @ [0.2, 0.8, -0.5]
    y = rng.poisson(np.exp(eta)) if name == "Poisson" else rng.random(100) < special.expit(eta)
    model = getattr(tm, name)(y.astype(float), x)
    near = model.fit(disp=False)
    for start in (np.full(3, -FAR_STARTS[name]), np.full(3, FAR_STARTS[name]), [FAR_STARTS[name], -20.0, 20.0]):
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "the search from start_params ended without a maximum", SpecificationWarning
            )
            warnings.filterwarnings("ignore", "Not started", ConvergenceWarning)
            res = model.fit(start_params=start, disp=False)
        if res.optim.status is not Status.NOT_FINITE_START:
            assert res.converged
            np.testing.assert_allclose(res.params, near.params, rtol=1e-7)


def test_the_models_own_start_is_not_taken_silently():
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(30), rng.normal(size=30)])
    y = (rng.random(30) < 0.5).astype(float)
    with pytest.warns(SpecificationWarning, match="found from the model's own start"):
        res = tm.Logit(y, x).fit(start_params=[-900.0, -900.0], disp=False)
    assert res.converged
    with pytest.warns(PerfectSeparationWarning):  # and where there is no maximum it is not there that one is found
        assert not tm.Logit((x[:, 1] > 0).astype(float), x).fit(start_params=[-900.0, -900.0], disp=False).converged


def test_models_without_columns(frame):
    """By scipy's probabilities, the mean square of the response, and gradients that are zero."""
    data = frame.assign(t=2.0, n=np.arange(len(frame)) % 5)
    poisson = tm.Poisson.from_formula("n ~ 0", data, exposure="t").fit(disp=False)
    np.testing.assert_allclose(poisson.llf, stats.poisson.logpmf(data["n"], 2.0).sum(), rtol=1e-12)
    normal = tm.Normal.from_formula("y ~ 0", data).fit(disp=False)
    np.testing.assert_allclose(normal.params["sigma"], np.sqrt(np.mean(data["y"] ** 2)), rtol=1e-9)
    spread = tm.Normal.from_formula("y ~ 0", data, sigma="~ x").fit(disp=False)
    squares = data["y"] ** 2 * np.exp(-2 * (spread.params.iloc[0] + spread.params.iloc[1] * data["x"]))
    np.testing.assert_allclose([np.mean(squares - 1), np.mean((squares - 1) * data["x"])], 0.0, atol=1e-6)
