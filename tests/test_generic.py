"""GenericLikelihoodModel: a log-likelihood of one's own, in torch or in numpy, as statsmodels' users write it."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch
from scipy import special, stats
from statsmodels.base.model import GenericLikelihoodModel as Peer

import torchmle as tm
from torchmle.compute import differences

N = 150


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    x = sm.add_constant(rng.normal(size=(N, 2)))
    return rng.poisson(np.exp(x @ [0.4, 0.3, -0.2])).astype(float), x


@pytest.fixture(scope="module")
def peer(data):
    return sm.Poisson(*data).fit(disp=0, tol=1e-12)


class Torch(tm.GenericLikelihoodModel):
    def loglikeobs(self, params):
        eta, y = torch.as_tensor(self.exog) @ params, torch.as_tensor(self.endog)
        return y * eta - torch.exp(eta) - torch.lgamma(y + 1)


class Numpy(tm.GenericLikelihoodModel):
    def nloglikeobs(self, params):
        eta = np.dot(self.exog, params)
        return np.exp(eta) - self.endog * eta + special.gammaln(self.endog + 1)


class Total(tm.GenericLikelihoodModel):
    def loglike(self, params):
        return Torch.loglikeobs(self, params).sum()


class Detached(tm.GenericLikelihoodModel):
    """Half of the intercept escapes autograd."""

    def loglikeobs(self, params):
        x, y = torch.as_tensor(self.exog), torch.as_tensor(self.endog)
        eta = x[:, 0] * (0.5 * params[0] + 0.5 * params[0].item()) + x[:, 1:] @ params[1:]
        return y * eta - torch.exp(eta) - torch.lgamma(y + 1)


class Constant(tm.GenericLikelihoodModel):
    """No gradient comes back at all."""

    def loglikeobs(self, params):
        return Torch.loglikeobs(self, params.detach())


def check(results, peer, rtol):
    np.testing.assert_allclose(results.params, peer.params, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(results.bse, peer.bse, rtol=rtol)
    np.testing.assert_allclose(results.llf, peer.llf, rtol=1e-12)
    assert results.converged
    assert isinstance(results.params, np.ndarray)


def test_torch_is_differentiated_exactly(data, peer):
    results = Torch(*data).fit(disp=False)
    check(results, peer, 1e-11)
    assert results.method == "newton"
    assert results.optim.iterations <= 10
    np.testing.assert_allclose(results.hessv, peer.model.hessian(peer.params), rtol=1e-10)


@pytest.mark.parametrize("method", [None, "bfgs", "newton", "powell"])
def test_numpy_is_differentiated_by_differences_and_says_so(data, peer, method):
    with pytest.warns(tm.errors.DifferencesWarning, match="RuntimeError"):
        results = Numpy(*data).fit(method=method, disp=False)
    check(results, peer, 1e-8)
    assert results.method == (method or "nm")


@pytest.mark.parametrize(
    ("kind", "says"), [(Detached, "is not the slope of its values"), (Constant, "does not depend")]
)
def test_a_gradient_that_autograd_loses_is_noticed(data, peer, kind, says):
    with pytest.warns(tm.errors.DifferencesWarning, match=says):
        results = kind(*data).fit(disp=False)
    check(results, peer, 1e-8)


def test_a_total_is_enough_but_for_robust_standard_errors(data, peer):
    model = Total(*data)
    check(model.fit(disp=False), peer, 1e-11)
    with pytest.raises(ValueError, match="defines loglikeobs"):
        model.fit(disp=False, cov_type="HC0").bse  # noqa: B018


def test_functions_may_be_passed(data, peer):
    own = sm.Poisson(*data)
    model = tm.GenericLikelihoodModel(*data, loglike=own.loglike, score=own.score, hessian=own.hessian)
    check(model.fit(disp=False), peer, 1e-9)
    scored = tm.GenericLikelihoodModel(*data, loglike=own.loglike, score=own.score)
    with pytest.warns(tm.errors.DifferencesWarning):
        check(scored.fit(disp=False, method="newton"), peer, 1e-8)


@pytest.mark.parametrize("cov_type", ["HC0", "opg", "cluster"])
def test_robust_standard_errors(data, cov_type):
    y, x = data
    groups = {"groups": np.arange(N) // 5} if cov_type == "cluster" else {}
    own = tm.Poisson(y, x).fit(disp=False, cov_type=cov_type, cov_kwds=groups)
    exact = Torch(y, x).fit(disp=False, cov_type=cov_type, cov_kwds=groups)
    np.testing.assert_allclose(exact.bse, own.bse, rtol=1e-9)
    with pytest.warns(tm.errors.DifferencesWarning):
        near = Numpy(y, x).fit(disp=False, cov_type=cov_type, cov_kwds=groups)
    np.testing.assert_allclose(near.bse, own.bse, rtol=1e-7)


def test_covariances_under_their_old_names(data, peer):
    results = Torch(*data).fit(disp=False)
    scores = peer.model.score_obs(peer.params)
    inverse = np.linalg.inv(peer.model.hessian(peer.params))
    np.testing.assert_allclose(results.score_obsv, scores, atol=1e-10)
    np.testing.assert_allclose(results.covjac, np.linalg.inv(scores.T @ scores), rtol=1e-9)
    np.testing.assert_allclose(results.covjhj, inverse @ scores.T @ scores @ inverse, rtol=1e-9)
    np.testing.assert_allclose(results.bsejac**2, np.diag(results.covjac))
    np.testing.assert_allclose(results.bsejhj**2, np.diag(results.covjhj))


class Student:
    """Linear regression with Student's t errors, once for each package."""

    def nloglikeobs(self, params):
        scale = np.abs(params[-1])
        residuals = self.endog - np.dot(self.exog, params[:-2])
        return np.log(scale) - stats.t.logpdf(residuals / scale, params[-2])

    def predict(self, params, exog=None):
        return np.dot(self.exog if exog is None else exog, params[:-2])


class OurStudent(Student, tm.GenericLikelihoodModel):
    pass


class TheirStudent(Student, Peer):
    pass


class TorchStudent(tm.GenericLikelihoodModel):
    def loglikeobs(self, params):
        residuals = torch.as_tensor(self.endog) - torch.as_tensor(self.exog) @ params[:-2]
        return torch.distributions.StudentT(params[-2], 0.0, params[-1]).log_prob(residuals)

    predict = Student.predict


@pytest.fixture(scope="module")
def heavy():
    rng = np.random.default_rng(9)
    df = pd.DataFrame({"x": rng.normal(size=200)}, index=np.arange(200) + 7)
    return df.assign(y=1 + 2 * df["x"] + 0.5 * rng.standard_t(4, 200))


def test_extra_parameters_against_statsmodels(heavy):
    start = [1.0, 2.0, 5.0, 0.5]
    x, names = sm.add_constant(heavy[["x"]].to_numpy()), ["df", "scale"]
    theirs = TheirStudent(heavy["y"].to_numpy(), x, extra_params_names=names)
    theirs = theirs.fit(start_params=start, method="bfgs", disp=0, gtol=1e-8)
    ours = OurStudent(heavy["y"].to_numpy(), x, extra_params_names=names)
    with pytest.warns(tm.errors.DifferencesWarning):
        ours = ours.fit(start_params=start, disp=False)
    np.testing.assert_allclose(ours.params, theirs.params, rtol=1e-5)
    np.testing.assert_allclose(ours.bse, theirs.bse, rtol=1e-4)  # statsmodels' differences are of second order
    for name in ("df_model", "df_resid", "df_modelwc", "aic", "bic", "nobs"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-8), name
    np.testing.assert_allclose(ours.predict(), theirs.predict(), rtol=1e-6)
    exact = TorchStudent.from_formula("y ~ x", heavy, extra_params_names=names).fit(start_params=start, disp=False)
    np.testing.assert_allclose(exact.params, ours.params, rtol=1e-6)
    np.testing.assert_allclose(exact.bse, ours.bse, rtol=1e-6)
    assert exact.names == ["Intercept", "x", "df", "scale"]


def test_predictions_and_tests_of_a_formula(heavy):
    results = TorchStudent.from_formula("y ~ x", heavy, extra_params_names=["df", "scale"])
    results = results.fit(start_params=[1.0, 2.0, 5.0, 0.5], disp=False)
    new = pd.DataFrame({"x": [0.0, 1.0]}, index=["a", "b"])
    predicted = results.predict(new)
    np.testing.assert_allclose(predicted, [results.params[0], results.params[:2].sum()])
    assert list(predicted.index) == ["a", "b"]
    frame = results.get_prediction(new).summary_frame()
    both = results.t_test("Intercept + x = 0")
    np.testing.assert_allclose(frame["se"], [results.bse[0], both.sd[0]], rtol=1e-8)
    assert "scale" in str(results.summary())


def test_vectors_lose_the_rows_that_are_missing(heavy):
    class Offset(tm.GenericLikelihoodModel):
        def loglikeobs(self, params):
            residuals = torch.as_tensor(self.endog - self.offset) - torch.as_tensor(self.exog) @ params
            return torch.distributions.Normal(0.0, 1.0).log_prob(residuals)

    gaps = heavy.assign(off=np.linspace(0, 1, 200))
    gaps.loc[gaps.index[:20], "x"] = np.nan
    full = gaps.dropna()
    expected = np.linalg.lstsq(sm.add_constant(full[["x"]]), full["y"] - full["off"], rcond=None)[0]
    found = Offset.from_formula("y ~ x", gaps, offset=gaps["off"].to_numpy()).fit(disp=False)
    np.testing.assert_allclose(found.params, expected)
    arrays = Offset(gaps["y"], sm.add_constant(gaps["x"]), missing="drop", offset=gaps["off"].to_numpy())
    np.testing.assert_allclose(arrays.fit(disp=False).params, expected)


def test_names_and_the_number_of_parameters_are_the_models(data):
    model = Torch(*data)
    first = model.fit(disp=False)
    model.data.xnames = ["a", "b", "c"]
    assert model.fit(disp=False, fix={"b": 0.25}).params[1] == 0.25
    assert first.names == ["const", "x1", "x2"]
    model.data.xnames = ["a", "b", "c", "d"]
    with pytest.warns(tm.errors.ValueWarning, match="4 and 3"):
        model.fit([0.1] * 3, disp=False)
    centre = tm.GenericLikelihoodModel(data[0], loglike=lambda p: -((p - torch.tensor([1.0, 2.0])) ** 2).sum())
    assert centre.fit(start_params=[0.0, 0.0], disp=False).names == ["par0", "par1"]


def test_bootstrap_draws_every_vector(data):
    class Offset(Torch):
        def loglikeobs(self, params):
            eta = torch.as_tensor(self.exog) @ params + torch.as_tensor(self.off)
            return torch.as_tensor(self.endog) * eta - torch.exp(eta)

    y, x = data
    results = Offset(y, x[:, :2], off=-0.2 * x[:, 2]).fit(disp=False)
    mean, spread, each = results.bootstrap(nrep=100, rng=0)
    assert each.shape == (100, 2)
    np.testing.assert_allclose(mean, results.params, atol=4 * results.bse.max() / np.sqrt(100))
    np.testing.assert_allclose(spread, results.bse, rtol=0.3)  # 100 draws: 7 % of sampling error each
    np.testing.assert_array_equal(each, results.bootstrap(nrep=100, rng=0)[2])


def test_a_bug_in_a_torch_likelihood_is_the_error_seen(data):
    class Wrong(tm.GenericLikelihoodModel):
        def loglikeobs(self, params):
            return torch.as_tensor(self.exog) @ torch.cat([params, params])

    with pytest.raises(RuntimeError, match="size mismatch"):
        Wrong(*data).fit(disp=False)
    with pytest.raises(NotImplementedError, match="must define loglikeobs"):
        tm.GenericLikelihoodModel(*data).fit(disp=False)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e5])
def test_differences_do_not_depend_on_units(unit):
    def function(x):
        return 1e3 + np.sin(x[0] / unit) * np.exp(x[1]) + x[0] / unit * x[1] ** 2

    x = np.array([0.7 * unit, 0.3])
    a, b = 0.7, 0.3
    step = differences.steps(function, x)
    gradient = [(np.cos(a) * np.exp(b) + b**2) / unit, np.sin(a) * np.exp(b) + 2 * a * b]
    np.testing.assert_allclose(differences.gradient(function, x, step), gradient, rtol=1e-7)
    mixed = (np.cos(a) * np.exp(b) + 2 * b) / unit
    hessian = [[-np.sin(a) * np.exp(b) / unit**2, mixed], [mixed, np.sin(a) * np.exp(b) + 2 * a]]
    np.testing.assert_allclose(differences.hessian(function, x, step), hessian, rtol=1e-5)


def test_steps_stay_inside_the_domain():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        step = differences.steps(lambda x: float(np.log(x[0])), np.array([1e-9]))
        found = differences.gradient(lambda x: float(np.log(x[0])), np.array([1e-9]), step)
    np.testing.assert_allclose(found, 1e9, rtol=1e-4)


def test_attributes_that_need_a_prediction_are_not_there_without_one(data):
    results = Torch(*data).fit(disp=0)
    assert not hasattr(results, "fittedvalues") and not hasattr(results, "resid")


def test_read_only_parameters_are_taken_without_a_warning():
    # what a column of a frame gives under copy-on-write
    model = tm.Normal(np.arange(6.0), np.ones((6, 1)))
    params = model.fit().params_array.copy()
    params.flags.writeable = False
    assert np.isfinite(model.loglike(params)) and np.isfinite(model.score(params)).all()
