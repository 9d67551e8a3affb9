"""Every method on problems that are hard, or have no answer: no false success, and the right answer where there is one."""

import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

from torchmle.errors import FitInterrupted
from torchmle.optim import Status, maximize, methods
from torchmle.optim.verdict import condition, quadratic

F64 = torch.float64


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Problems this small only wait for a second thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Rows:
    """Log-likelihood of a linear predictor: `density(eta, y)` gives values, first and second derivatives by row."""

    def __init__(self, x, y, density):
        self.x, self.y, self.density = x, y, density
        self.n, self.size = x.shape
        self.passes = []

    def value(self, b):
        self.passes.append("value")
        return self.density(self.x @ b, self.y)[0].sum()

    def gradient(self, b):
        self.passes.append("gradient")
        value, first, _ = self.density(self.x @ b, self.y)
        return value.sum(), self.x.T @ first

    def hessian(self, b):
        self.passes.append("hessian")
        value, first, second = self.density(self.x @ b, self.y)
        return value.sum(), self.x.T @ first, (self.x.T * second) @ self.x

    def batch_gradient(self, b, rows):
        value, first, _ = self.density(self.x[rows] @ b, self.y[rows])
        return value.sum(), self.x[rows].T @ first


class Auto:
    """Any scalar function, differentiated twice by autograd."""

    def __init__(self, function, size, n=1):
        self.function, self.size, self.n = function, size, n

    def value(self, x):
        return self.function(x).detach()

    def gradient(self, x):
        x = x.detach().requires_grad_(True)
        value = self.function(x)
        return value.detach(), torch.autograd.grad(value, x)[0]

    def hessian(self, x):
        x = x.detach().requires_grad_(True)
        value = self.function(x)
        (gradient,) = torch.autograd.grad(value, x, create_graph=True)
        rows = [torch.zeros_like(x)] * len(x)
        if gradient.requires_grad:
            rows = [torch.autograd.grad(g, x, retain_graph=True)[0] for g in gradient]
        return value.detach(), gradient.detach(), torch.stack(rows)

    def batch_gradient(self, x, rows):
        return self.gradient(x)


def logit(eta, y):
    p = torch.sigmoid(eta)
    value = y * torch.nn.functional.logsigmoid(eta) + (1 - y) * torch.nn.functional.logsigmoid(-eta)
    return value, y - p, -p * torch.sigmoid(-eta)


def poisson(eta, y):
    mu = eta.exp()
    return y * eta - mu - torch.lgamma(y + 1), y - mu, -mu


def probit(eta, y):
    sign = 2 * y - 1
    z = sign * eta
    value = torch.special.log_ndtr(z)
    mills = torch.exp(-0.5 * z.square() - value) / math.sqrt(2 * math.pi)
    return value, sign * mills, -mills * (z + mills)


def normals(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def design(n, k, seed=0):
    x = normals(n, k, seed=seed)
    x[:, 0] = 1.0
    return x


def counts(x, seed=1):
    slopes = 0.3 / torch.arange(1, x.shape[1] + 1, dtype=F64)
    return torch.from_numpy(np.random.default_rng(seed).poisson((x @ slopes).exp().numpy())).to(F64)


def binary(x, seed=1):
    p = torch.sigmoid(x.sum(1) * 0.5)
    return torch.from_numpy((np.random.default_rng(seed).uniform(size=len(x)) < p.numpy()).astype(float))


def plain_newton(objective, guess):
    """An independent answer: unguarded Newton steps in numpy from a good guess."""
    b = guess
    for _ in range(60):
        _, g, h = objective.hessian(b)
        b = b - torch.from_numpy(np.linalg.solve(h.numpy(), g.numpy()))
    return b


# ---- problems: name -> (objective, start, answers); no answer: there is none to be found


def poisson_problem(start, scale=None, n=400):
    x = design(n, 3)
    scale = torch.ones(3, dtype=F64) if scale is None else scale
    base = Rows(x, counts(x), poisson)
    answer = plain_newton(base, torch.tensor([0.3, 0.1, 0.1], dtype=F64)) / scale
    return Rows(x * scale, base.y, poisson), torch.as_tensor(start, dtype=F64), [answer]


def far_logit():
    x = design(400, 3)
    objective = Rows(x, binary(x), logit)
    return objective, torch.tensor([12.0, -15.0, 9.0], dtype=F64), [plain_newton(objective, torch.zeros(3, dtype=F64))]


def cauchy():
    y = normals(50) + 1
    objective = Auto(lambda m: -torch.log1p((y - m[0]).square()).sum(), 1, 50)
    return objective, torch.tensor([8.0], dtype=F64), [plain_newton(objective, y.median()[None])]


def nan_region():
    """Exponential with mean a + b x, not defined where that is negative."""
    x = torch.linspace(0, 1, 80, dtype=F64)
    y = torch.from_numpy(np.random.default_rng(3).exponential(0.2 + 2 * x.numpy()))

    def loglike(p):
        mean = p[0] + p[1] * x
        return (-mean.log() - y / mean).sum()

    objective = Auto(loglike, 2, 80)
    return (
        objective,
        torch.tensor([5.0, 0.0], dtype=F64),
        [plain_newton(objective, torch.tensor([0.2, 2.0], dtype=F64))],
    )


def double_well():
    objective = Auto(lambda p: -((p[0] ** 2 - 1) ** 2) - p[1] ** 2, 2)
    return (
        objective,
        torch.zeros(2, dtype=F64),
        [torch.tensor([1.0, 0.0], dtype=F64), torch.tensor([-1.0, 0.0], dtype=F64)],
    )


def ill_conditioned():
    """Columns that differ by 1e-5: scaled condition number 4e10, identified all the same."""
    x = design(400, 3)
    x[:, 2] = x[:, 1] + 1e-5 * x[:, 2]
    objective = Rows(x, binary(x), logit)
    return objective, torch.zeros(3, dtype=F64), [plain_newton(objective, torch.zeros(3, dtype=F64))]


IDENTIFIED = {
    "plain": lambda: poisson_problem([0.0, 0, 0]),
    "scaled columns": lambda: poisson_problem([0.0, 0, 0], torch.tensor([1.0, 1e-6, 1e6], dtype=F64)),
    "overflow start": lambda: poisson_problem([300.0, 0, 0]),
    "big n": lambda: poisson_problem([0.0, 0, 0], n=50_000),
    "far start": far_logit,
    "non-PD start": cauchy,
    "nan region": nan_region,
    "saddle start": double_well,
    "ill-conditioned": ill_conditioned,
}


def separated(quasi):
    x = design(100, 3)
    y = (x[:, 1] + 0.5 * x[:, 2] > 0).to(F64)
    if quasi:
        x[:, 2] = (x[:, 2] > 0.5).to(F64)
        y = torch.where(x[:, 2] == 1, 1.0, binary(x[:, :2]))
    return Rows(x, y, logit), torch.zeros(3, dtype=F64), None


def quasi_oblique():
    """Quasi-separation along a direction that is no coordinate axis, with columns of different size."""
    objective, start, _ = separated(True)
    mix = torch.tensor([[1.0, 0.2, 3.0], [0, 1.0, -2.0], [0, 0.7, 1.0]], dtype=F64)
    return Rows(objective.x @ mix * torch.tensor([1.0, 1e3, 1e-2], dtype=F64), objective.y, logit), start, None


def zero_cell():
    x = torch.stack([torch.ones(30, dtype=F64), (torch.arange(30) < 6).to(F64)], 1)
    y = torch.where(x[:, 1] == 1, 0.0, torch.arange(30, dtype=F64) % 4)
    return Rows(x, y, poisson), torch.zeros(2, dtype=F64), None


def collinear():
    x = design(200, 4)
    x[:, 3] = x[:, 1] - 2 * x[:, 2] + 0.5
    return Rows(x * torch.tensor([1.0, 1e3, 1.0, 1e-4], dtype=F64), binary(x), logit), torch.zeros(4, dtype=F64), None


def perfect_fit():
    """Normal regression without noise: the log-likelihood rises as sigma goes to 0."""
    x = design(30, 2)
    y = 1 + 2 * x[:, 1]

    def loglike(p):
        return (-p[2] - 0.5 * ((y - x @ p[:2]) * torch.exp(-p[2])).square()).sum()

    return Auto(loglike, 3, 30), torch.zeros(3, dtype=F64), None


def underdispersed():
    """Negative binomial on counts less dispersed than Poisson: log alpha runs to minus infinity."""
    y = torch.tensor([2.0, 3, 3, 4, 3, 2, 3, 4, 3, 3] * 5, dtype=F64)

    def loglike(p):  # the ratio of gamma functions as a product, exact for small alpha
        mu, alpha = torch.exp(p[0]), torch.exp(p[1])
        rising = sum(torch.where(y > i, torch.log1p(alpha * i), 0.0) for i in range(4))
        return (rising + y * p[0] - (y + 1 / alpha) * torch.log1p(alpha * mu)).sum()

    return Auto(loglike, 2, 50), torch.tensor([1.0, 0.0], dtype=F64), None


WITHOUT_MAXIMUM = {
    "separation": lambda: separated(False),
    "quasi-separation": lambda: separated(True),
    "oblique quasi-separation": quasi_oblique,
    "zero cell": zero_cell,
    "flat": lambda: (Auto(lambda p: -((p[0] - 1) ** 2) + 0 * p[1], 2), torch.zeros(2, dtype=F64), None),
    "constant": lambda: (Auto(lambda p: 0 * p.sum() - 3, 2), torch.ones(2, dtype=F64), None),
    "collinear": collinear,
    "unbounded, linear": lambda: (Auto(lambda p: p[0] - p[1] ** 2, 2), torch.ones(2, dtype=F64), None),
    "unbounded, quadratic": lambda: (Auto(lambda p: p[0] ** 2 - p[1] ** 2, 2), torch.zeros(2, dtype=F64), None),
    "flatter than a parabola": lambda: (Auto(lambda p: -(p[0] ** 4), 1), torch.ones(1, dtype=F64), None),
    "levels off slowly": lambda: (Auto(lambda p: -1 / (1 + p[0].exp()), 1), torch.ones(1, dtype=F64), None),
    "perfect fit": perfect_fit,
    "underdispersed": underdispersed,
}


def run(problem, method):
    objective, start, answers = problem
    if method in ("nm", "powell"):
        return maximize(objective, start, method, maxiter=500), answers
    if method in ("sgd", "adam"):
        return maximize(objective, start, method, maxiter=10, batch_size=20_000), answers
    return maximize(objective, start, method, maxiter=100), answers


def distance(optimum, answers):
    """In standard errors, the nearest of the answers."""
    error = torch.linalg.inv(-optimum.hessian).diagonal().sqrt()
    return min(float(((optimum.x - answer).abs() / error).max()) for answer in answers)


# Where the borrowed method wanders off and twenty Newton steps from its best point are not enough; said so, not hidden.
GIVES_UP = {
    "overflow start": {"newton-cg", "newton-exact"},
    "nan region": {"newton-cg", "newton-exact", "dogleg", "sgd", "adam"},
    "saddle start": set(),
}

# What Newton's method says of the problems without a maximum, and the parameters it names.
VERDICTS = {
    "separation": (Status.DIVERGING, {1, 2}),
    "quasi-separation": (Status.DIVERGING, {2}),
    "oblique quasi-separation": (Status.DIVERGING, None),
    "zero cell": (Status.DIVERGING, {1}),
    "flat": (Status.SINGULAR, {1}),
    "constant": (Status.SINGULAR, None),
    "collinear": (Status.SINGULAR, {1, 2, 3}),
    "unbounded, linear": (Status.DIVERGING, {0}),
    "unbounded, quadratic": (Status.DIVERGING, {0}),
    "flatter than a parabola": (Status.DIVERGING, {0}),
    "levels off slowly": (Status.DIVERGING, {0}),
    "perfect fit": (Status.DIVERGING, {2}),
    "underdispersed": (Status.DIVERGING, {1}),
}


@pytest.mark.parametrize("method", methods())
@pytest.mark.parametrize("case", IDENTIFIED)
def test_converged_means_right(case, method):
    optimum, answers = run(IDENTIFIED[case](), method)
    assert optimum.converged or method in GIVES_UP.get(case, ())
    assert optimum.method == method
    if optimum.converged:
        assert distance(optimum, answers) < 1e-8
        assert optimum.decrement <= 1e-10
        assert optimum.condition < 1e13
        assert optimum.direction is None


@pytest.mark.parametrize("method", methods())
@pytest.mark.parametrize("case", WITHOUT_MAXIMUM)
def test_no_false_success(case, method):
    optimum, _ = run(WITHOUT_MAXIMUM[case](), method)
    assert optimum.converged is False
    assert optimum.status.value in optimum.message


@pytest.mark.parametrize("case", WITHOUT_MAXIMUM)
def test_newton_says_what_is_wrong_and_with_which_parameters(case):
    objective, start, _ = WITHOUT_MAXIMUM[case]()
    optimum = maximize(objective, start, names=map(str, range(len(start))))
    status, concerned = VERDICTS[case]
    assert optimum.status is status
    if concerned is not None:
        assert concerned <= {int(name) for name in optimum.concerned(0.05)}
        assert "Parameters concerned: " in optimum.message


@pytest.mark.parametrize("case", [*IDENTIFIED, *WITHOUT_MAXIMUM])
def test_newton_never_steps_down(case):
    optimum, _ = run({**IDENTIFIED, **WITHOUT_MAXIMUM}[case](), "newton")
    values = [step.value for step in optimum.history]
    rounding = [1e-11 * max(1.0, abs(value)) for value in values]
    assert all(after >= before - slack for before, after, slack in zip(values, values[1:], rounding, strict=False))
    assert [step.iteration for step in optimum.history] == list(range(len(values)))
    assert optimum.iterations == len(values) - 1


@pytest.mark.parametrize("case", IDENTIFIED)
def test_derivatives_belong_to_the_point(case):
    objective, start, _ = IDENTIFIED[case]()
    optimum = maximize(objective, start)
    value, gradient, hessian = objective.hessian(optimum.x)
    assert optimum.value == value.item()
    assert torch.equal(optimum.gradient, gradient)
    assert torch.equal(optimum.hessian, hessian)
    assert optimum.decrement < 1e-17


@pytest.mark.parametrize("method", methods())
@pytest.mark.parametrize("start", [math.nan, 1e3])
def test_not_finite_at_the_start(method, start):
    objective, _, _ = poisson_problem([0.0, 0, 0])
    optimum = maximize(objective, torch.full((3,), start, dtype=F64), method)
    assert optimum.status is Status.NOT_FINITE_START
    assert optimum.evaluations == 1
    assert "start_params" in optimum.message


# ---- cost


def test_one_fused_pass_per_newton_step():
    objective, start, _ = poisson_problem([0.0, 0, 0])
    objective.passes.clear()
    optimum = maximize(objective, start)
    assert set(objective.passes) == {"hessian"}
    assert optimum.evaluations == optimum.hessian_evaluations == len(objective.passes) == optimum.iterations + 1
    assert optimum.iterations <= 7


def test_no_step_from_the_answer():
    objective, start, _ = poisson_problem([0.0, 0, 0])
    answer = maximize(objective, start).x
    for method in methods():
        again = maximize(objective, answer, method)
        assert again.converged
        assert again.iterations == 0
        assert torch.equal(again.x, answer)


def test_the_tutorial_probit():
    """The 32 rows of Spector and Mazzeo (1980), from zeros, against statsmodels 0.15 `Probit(...).fit(tol=1e-14)`."""
    sm = pytest.importorskip("statsmodels.api")
    data = sm.datasets.spector.load_pandas()
    x = sm.add_constant(data.exog)
    expected = sm.Probit(data.endog, x).fit(disp=0, tol=1e-14, maxiter=200)
    objective = Rows(torch.tensor(x.to_numpy()), torch.tensor(data.endog.to_numpy()), probit)
    optimum = maximize(objective, torch.zeros(4))
    assert optimum.converged
    assert optimum.iterations <= 10
    np.testing.assert_allclose(optimum.x, expected.params, rtol=1e-8)
    np.testing.assert_allclose(torch.linalg.inv(-optimum.hessian).diagonal().sqrt(), expected.bse, rtol=1e-8)
    np.testing.assert_allclose(optimum.value, expected.llf, rtol=1e-12)


def test_nothing_to_estimate():
    objective = Auto(lambda p: torch.tensor(-3.0, dtype=F64), 0)
    for method in methods():
        optimum = maximize(objective, torch.zeros(0, dtype=F64), method)
        assert optimum.converged
        assert optimum.value == -3.0
        assert optimum.iterations == 0
        assert optimum.hessian.shape == (0, 0)


# ---- limits and options


@pytest.mark.parametrize("method", methods())
def test_limits(method):
    objective, start, _ = far_logit()
    none = maximize(objective, start, method, maxiter=0)
    assert none.status is Status.ITERATION_LIMIT
    assert torch.equal(none.x, start)
    few = maximize(objective, start, method, maxfun=3)
    assert few.status in (Status.EVALUATION_BUDGET, Status.CONVERGED)
    assert few.value >= none.value
    if method not in ("sgd", "adam", "powell", "basinhopping"):
        assert maximize(objective, start, method, maxiter=1).status is Status.ITERATION_LIMIT


def test_basinhopping_leaves_a_local_maximum():
    """Two hills in one dimension, the higher one away from the start."""

    def loglike(p):
        low, high = -0.5 * (p[0] + 2) ** 2 / 0.1, 20.0 - 0.5 * (p[0] - 2) ** 2 / 0.1
        return torch.logaddexp(low, high)

    start = torch.tensor([-1.9], dtype=F64)
    assert abs(maximize(Auto(loglike, 1, 1), start, "newton").x.item() + 2) < 1e-6
    found = maximize(Auto(loglike, 1, 1), start, "basinhopping", stepsize=15.0, niter=30)
    assert found.converged and abs(found.x.item() - 2) < 1e-6
    again = maximize(Auto(loglike, 1, 1), start, "basinhopping", stepsize=15.0, niter=30)
    assert torch.equal(found.x, again.x)


def test_unknown_names_are_listed():
    objective, start, _ = poisson_problem([0.0, 0, 0])
    with pytest.raises(ValueError, match=r"method must be one of: newton, bfgs, .*'simplex'"):
        maximize(objective, start, "simplex")
    with pytest.raises(ValueError, match="method must be one of"):
        maximize(objective, start, None)
    with pytest.raises(ValueError, match="broken in pytorch-minimize"):
        maximize(objective, start, "trust-krylov")
    with pytest.raises(TypeError, match=r"'adam' has no option 'history_size'; its options are: lr, batch_size"):
        maximize(objective, start, "adam", history_size=3)
    with pytest.raises(TypeError, match=r"its options are: maxfun$"):
        maximize(objective, start, gtol=1e-3)
    with pytest.raises(ValueError, match=r"line_search must be one of: strong-wolfe, none; got 'armijo'"):
        maximize(objective, start, "bfgs", line_search="armijo")


def test_aliases_and_options_are_left_alone():
    objective, start, answers = poisson_problem([0.0, 0, 0])
    options = {"history_size": 5, "lr": 0.5}
    optimum = maximize(objective, start, "LBFGS", **options)
    assert optimum.method == "l-bfgs"
    assert options == {"history_size": 5, "lr": 0.5}
    assert distance(optimum, answers) < 1e-8
    assert maximize(objective, start, "ncg", cg_max_iter=20).method == "newton-cg"
    assert torch.equal(start, torch.zeros(3, dtype=F64))


@pytest.mark.parametrize("method", ["sgd", "adam"])
def test_first_order_options(method):
    objective, start, answers = poisson_problem([0.0, 0, 0])
    state = torch.get_rng_state()
    kwargs = {"lr": 0.05, "batch_size": 64, "epochs": 20}
    one, two, other = (maximize(objective, start, method, seed=seed, **kwargs) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert [step.value for step in one.history] == [step.value for step in two.history]
    assert [step.value for step in one.history[:5]] != [step.value for step in other.history[:5]]
    assert all(distance(optimum, answers) < 1e-8 for optimum in (one, two, other))
    assert len(one.history) > 20


@pytest.mark.parametrize("method", methods())
def test_callback_after_each_iteration(method):
    objective, start, answers = poisson_problem([0.0, 0, 0])
    seen = []

    def callback(x):
        seen.append(x.clone())
        x.fill_(math.nan)  # a copy: what is done to it is the caller's business
        return True

    optimum = maximize(objective, start, method, callback=callback, maxiter=40 if method == "sgd" else None)
    assert distance(optimum, answers) < 1e-8
    assert len(seen) == optimum.iterations > 0
    assert all(bool(torch.isfinite(x).all()) for x in seen)


def test_progress(capsys):
    objective, start, _ = poisson_problem([0.0, 0, 0])
    maximize(objective, start, progress=True)
    shown = capsys.readouterr()
    assert "log-likelihood -" in shown.err
    assert "decrement" in shown.err
    assert shown.out == ""
    maximize(objective, start)
    assert capsys.readouterr().err == ""


# ---- trouble on the way


@pytest.mark.parametrize("method", methods())
def test_interrupt_keeps_the_best_point(method):
    objective, start, _ = far_logit()
    calls = []
    evaluate = objective.density

    def interrupted(eta, y):
        calls.append(eta)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return evaluate(eta, y)

    objective.density = interrupted
    with pytest.raises(FitInterrupted, match="interrupted") as caught:
        maximize(objective, start, method)
    optimum = caught.value.optimum
    objective.density = evaluate
    assert optimum.status is Status.INTERRUPTED
    assert not optimum.converged
    assert optimum.value == objective.value(optimum.x).item() >= objective.value(start).item()
    assert optimum.history[0].value == objective.value(start).item()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("method", methods())
def test_errors_of_the_objective_and_the_callback_pass_through(method):
    objective, start, _ = far_logit()

    def callback(x):
        raise IndexError("the caller's own")

    with pytest.raises(IndexError, match="the caller's own"):
        maximize(objective, start, method, callback=callback)
    evaluate, calls = objective.density, []

    def broken(eta, y):
        calls.append(eta)
        if len(calls) == 3:
            raise RuntimeError("shapes do not match")
        return evaluate(eta, y)

    objective.density = broken
    with pytest.raises(RuntimeError, match="shapes do not match"):
        maximize(objective, start, method)


@pytest.mark.parametrize("method", methods())
def test_matrix_not_definite_at_a_trial_point_is_turned_back_from(method):
    """A covariance [[1, r], [r, 1]]: outside (-1, 1) the Cholesky factorisation raises."""
    y = normals(60, 2)
    y[:, 1] = y[:, 0] + 0.6 * y[:, 1]
    y = y / y.square().mean(0).sqrt()

    def loglike(p):
        one = torch.ones((), dtype=F64)
        factor = torch.linalg.cholesky(torch.stack([one, p[0], p[0], one]).reshape(2, 2))
        z = torch.linalg.solve_triangular(factor, y.T, upper=False)
        return -0.5 * z.square().sum() - 60 * factor.diagonal().log().sum()

    optimum = maximize(Auto(loglike, 1, 60), torch.zeros(1, dtype=F64), method)
    assert optimum.converged
    assert abs(optimum.x.item() - float((y[:, 0] * y[:, 1]).mean())) < 0.1
    assert optimum.gradient.abs().item() < 1e-8


def test_rounding_errors_are_not_taken_for_a_maximum():
    """Negative binomial through differences of log-gamma functions, which lose every digit as alpha goes to 0."""
    x = design(100, 3, seed=6)
    y = torch.round((x.sum(1) * 0.2).exp())

    def loglike(p):
        mu, r = torch.exp(x @ p[:3]), torch.exp(-p[3])
        terms = torch.lgamma(y + r) - torch.lgamma(r) + r * torch.log(r / (r + mu)) + y * torch.log(mu / (r + mu))
        return terms.sum()

    for method in ("newton", "l-bfgs", "trust-exact", "nm"):
        for start in (0.0, 3.0, -3.0):
            assert not maximize(Auto(loglike, 4, 100), torch.tensor([0.0, 0, 0, start], dtype=F64), method).converged


def test_inaccurate_derivatives_end_the_search():
    objective, start, _ = poisson_problem([0.0, 0, 0])
    exact = objective.hessian

    def noisy(x):
        value, gradient, hessian = exact(x)
        return value, gradient + 1e-3 * torch.sin(1e9 * x), hessian

    objective.hessian = noisy
    optimum = maximize(objective, start)
    assert optimum.status in (Status.PRECISION, Status.LINE_SEARCH_FAILED)
    assert optimum.evaluations < 80
    assert maximize(objective, start, tol=1e-3).converged


def test_warnings_of_the_objective_are_heard():
    objective, start, _ = poisson_problem([0.0, 0, 0])
    evaluate = objective.density

    def warning(eta, y):
        warnings.warn("look here", UserWarning, stacklevel=2)
        return evaluate(eta, y)

    objective.density = warning
    with pytest.warns(UserWarning, match="look here"):
        maximize(objective, start, "trust-exact")


def test_borrowed_packages_are_imported_when_used():
    code = "import sys, torchmle.optim; print([m for m in ('torchmin', 'matplotlib') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


# ---- the quadratic model


def test_quadratic_model_does_not_depend_on_units():
    objective, _, _ = poisson_problem([0.0, 0, 0])
    _, gradient, hessian = objective.hessian(torch.zeros(3, dtype=F64))
    units = torch.tensor([1e-8, 1.0, 1e12], dtype=F64)
    one = quadratic(gradient, hessian)
    two = quadratic(gradient * units, hessian * units[:, None] * units)
    assert one.definite
    assert two.definite
    np.testing.assert_allclose(two.decrement, one.decrement, rtol=1e-12)
    np.testing.assert_allclose(two.direction * units, one.direction, rtol=1e-12)


def test_modified_direction_is_uphill():
    matrix = normals(6, 6)
    hessian, gradient = matrix + matrix.T, normals(6, seed=1)
    model = quadratic(gradient, hessian)
    assert not model.definite
    assert model.lowest < 0
    assert model.decrement == pytest.approx(float(gradient @ model.direction))
    assert model.decrement > 0


@pytest.mark.parametrize("size", [5, 200])
def test_condition_number(size):
    basis = torch.linalg.qr(normals(size, size)).Q
    for exponent in (2, 8, 12):
        matrix = (basis * torch.logspace(0, -exponent, size, dtype=F64)) @ basis.T
        matrix = (matrix + matrix.T) / 2
        found = condition(matrix, torch.linalg.cholesky(matrix))
        assert 0.5 <= found / 10**exponent < 2 * size**0.5
