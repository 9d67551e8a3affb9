"""Plots hold the numbers of the results they draw, on the Axes they are given."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

import torchmle as tm
from torchmle import plots
from torchmle.inference.predictions.curves import survival_curves

mpl.use("Agg")


@pytest.fixture(autouse=True)
def no_figure_left():
    yield
    plt.close("all")


@pytest.fixture
def ax():
    """Axes of a figure that pyplot knows nothing of."""
    return Figure().subplots()


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(3)
    n = 300
    df = pd.DataFrame({"x": rng.normal(size=n), "w": rng.normal(size=n), "trt": np.arange(n) % 2})
    df["y"] = 1 + 2 * df["x"] + rng.normal(size=n)
    df["visits"] = rng.poisson(np.exp(0.3 * df["x"]))
    times = rng.exponential(np.exp(0.7 * df["trt"]))
    return df.assign(years=np.minimum(times, 2), event=(times < 2).astype(int), arm=df["trt"].map({0: "old", 1: "new"}))


@pytest.fixture(scope="module")
def poisson(frame):
    return tm.Poisson.from_formula("visits ~ x + w", frame).fit(disp=False)


@pytest.fixture(scope="module")
def survival(frame):
    return tm.ExponentialSurvival.from_formula("Surv(years, event) ~ trt", frame).fit()


def segments(ax):
    """Ends of the intervals drawn as horizontal lines."""
    (lines,) = ax.collections
    return np.array([segment[:, 0] for segment in lines.get_segments()])


def labelled(ax):
    return {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}


def band(collection, times):
    """Lower and upper edge of a shaded band at the given times."""
    vertices = collection.get_paths()[0].vertices
    at = [vertices[vertices[:, 0] == time, 1] for time in times]
    return np.array([values.min() for values in at]), np.array([values.max() for values in at])


# -- coefficients ------------------------------------------------------------------------------------------------


def test_coefficients_and_intervals_are_those_of_the_table(poisson, ax):
    assert poisson.plot_coefficients(ax=ax, alpha=0.1) is ax
    points = ax.lines[1]
    assert np.array_equal(points.get_xdata(), poisson.params)
    assert np.allclose(segments(ax), poisson.conf_int(0.1))
    assert [tick.get_text() for tick in ax.get_yticklabels()] == poisson.names
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the table's first row on top
    assert "90 %" in ax.get_xlabel()


def test_exponentiated_coefficients_stand_on_a_logarithmic_axis(poisson, ax):
    poisson.plot_coefficients(ax, exponentiate=True)
    assert np.allclose(ax.lines[1].get_xdata(), np.exp(poisson.params))
    assert np.allclose(segments(ax), np.exp(poisson.conf_int()))
    assert ax.get_xscale() == "log"
    assert ax.lines[0].get_xdata() == [1.0, 1.0]  # where there is no effect


def test_only_coefficients_are_exponentiated(frame, ax):
    res = tm.Normal.from_formula("y ~ x", frame).fit()
    res.plot_coefficients(ax, exponentiate=True)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["Intercept", "x"]


def test_chosen_coefficients_come_in_the_order_asked_for(poisson, ax):
    poisson.plot_coefficients(ax, names=["w", "x"])
    assert np.array_equal(ax.lines[1].get_xdata(), poisson.params[["w", "x"]])
    with pytest.raises(ValueError, match="no parameter 'z'; the parameters are Intercept, x, w"):
        poisson.plot_coefficients(ax, names=["z"])


def test_columns_left_out_as_collinear_are_not_drawn(frame, ax):
    with pytest.warns(tm.errors.RankWarning):
        res = tm.OLS.from_formula("y ~ x + I(2 * x)", frame).fit()
    res.plot_coefficients(ax)
    assert len(ax.get_yticklabels()) == 2


# -- diagnostics -------------------------------------------------------------------------------------------------


def test_diagnostics_hold_residuals_and_their_quantiles(frame):
    res = tm.OLS.from_formula("y ~ x", frame).fit()
    axes = Figure().subplots(1, 3)
    first, second, third = res.plot_diagnostics(axes)
    assert np.array_equal(first.lines[0].get_xdata(), res.predict())
    assert np.array_equal(first.lines[0].get_ydata(), res.resid)
    assert np.array_equal(second.lines[1].get_ydata(), np.sort(res.resid_pearson))
    expected = second.lines[1].get_xdata()
    assert np.allclose(expected, -expected[::-1])
    assert np.allclose(third.lines[0].get_ydata(), np.sqrt(np.abs(res.resid_pearson)))
    assert [each.get_ylabel() for each in axes] == [
        "Residuals",
        "Standardised residuals",
        "√|standardised residuals|",
    ]


def test_line_through_residuals_joins_means_of_neighbours(frame):
    res = tm.OLS.from_formula("y ~ x", frame).fit()
    line = res.plot_diagnostics(Figure().subplots(1, 3))[0].lines[1]
    lowest = np.argsort(np.asarray(res.predict()))[: len(frame) // 15]
    assert len(line.get_xdata()) == 15
    assert np.isclose(line.get_ydata()[0], res.resid.iloc[lowest].mean())


def test_residuals_of_a_varying_sigma_are_divided_by_it(frame):
    res = tm.Normal.from_formula("y ~ x", frame, sigma="~ w").fit()
    axes = res.plot_diagnostics()
    standard = res.resid / res.predict(which="sigma")
    assert np.allclose(axes[1].lines[1].get_ydata(), np.sort(standard))


def test_counts_have_diagnostics_by_pearson_residuals(poisson):
    axes = poisson.plot_diagnostics()
    assert np.array_equal(axes[1].lines[1].get_ydata(), np.sort(poisson.resid_pearson))


def test_models_without_residuals_say_so(survival, poisson, ax):
    with pytest.raises(ValueError, match="ExponentialSurvival has no residuals"):
        survival.plot_diagnostics()
    with pytest.raises(ValueError, match="three Axes, not 1"):
        poisson.plot_diagnostics(ax)


# -- survival ----------------------------------------------------------------------------------------------------


def test_curves_of_new_rows_and_their_bands(survival, ax):
    times = np.array([0.0, 0.5, 1.0, 2.0])
    new = pd.DataFrame({"trt": [0, 1]})
    assert survival.plot_survival(new, times=times, ax=ax) is ax
    lines = labelled(ax)
    assert list(lines) == ["trt=0, fitted", "trt=1, fitted"]
    linear = survival.get_prediction(new, which="linear")
    for line, shade, eta, (low, high) in zip(
        lines.values(), ax.collections, linear.predicted, linear.conf_int(), strict=True
    ):
        assert np.array_equal(line.get_xdata(), times)
        assert np.allclose(line.get_ydata(), np.exp(-np.exp(eta) * times))
        # log(-log S) = eta + log t, so the limits of S are those of eta
        lower, upper = band(shade, times[1:])
        assert np.allclose(lower, np.exp(-np.exp(high) * times[1:]))
        assert np.allclose(upper, np.exp(-np.exp(low) * times[1:]))
    assert ax.get_xlabel() == "Time (years)"
    assert ax.get_ylabel() == "Survival probability"


def test_bands_stay_between_0_and_1(frame):
    few = tm.ExponentialSurvival.from_formula("Surv(years, event) ~ trt", frame.head(8)).fit()
    for curve in survival_curves(few, pd.DataFrame({"trt": [0, 1]}), times=np.geomspace(1e-12, 1e6, 50)):
        limits = curve.conf_int(1e-6)
        assert (limits >= 0).all() and (limits <= 1).all()
        assert (limits[:, 0] <= curve.survival).all() and (curve.survival <= limits[:, 1]).all()


def test_average_curve_and_its_standard_error(survival, frame):
    (curve,) = survival_curves(survival, times=[0.0, 0.7, 1.9])
    rows = [survival.predict(which="survival", times=time).mean() for time in curve.times]
    assert np.allclose(curve.survival, rows)
    # by finite differences of the average in the coefficients
    x = np.column_stack([np.ones(len(frame)), frame["trt"]])

    def average(b):
        return np.exp(-np.exp(x @ b)[:, None] * curve.times).mean(0)

    b, step = survival.params.to_numpy(), 1e-6
    slope = np.column_stack([(average(b + step * e) - average(b - step * e)) / (2 * step) for e in np.eye(2)])
    expected = np.sqrt(((slope @ survival.cov_params().to_numpy()) * slope).sum(1))
    assert np.allclose(curve.se, expected, rtol=1e-6)
    assert curve.se[0] == 0 and tuple(curve.conf_int()[0]) == (1, 1)


def test_average_curve_counts_a_row_as_often_as_its_weight(frame):
    model = tm.ExponentialSurvival
    weighted = model.from_formula("Surv(years, event) ~ trt", frame, freq_weights=1 + 2 * frame["trt"]).fit()
    copied = pd.concat([frame, frame[frame["trt"] == 1], frame[frame["trt"] == 1]])
    repeated = model.from_formula("Surv(years, event) ~ trt", copied).fit()
    (one,), (other,) = survival_curves(weighted, times=[0.5, 1]), survival_curves(repeated, times=[0.5, 1])
    assert np.allclose(one.survival, other.survival)
    assert np.allclose(one.se, other.se)


def test_each_kaplan_meier_curve_has_the_colour_of_its_fitted_one(frame, ax):
    res = tm.ExponentialSurvival.from_formula("Surv(years, event) ~ arm", frame).fit()
    steps = tm.KaplanMeier.from_formula("Surv(years, event) ~ arm", frame)
    res.plot_survival(pd.DataFrame({"arm": ["old", "new"]}), ax=ax, kaplan_meier=steps)
    lines = labelled(ax)
    assert list(lines) == ["arm=new, Kaplan–Meier", "arm=old, Kaplan–Meier", "arm=old, fitted", "arm=new, fitted"]
    for arm in ("old", "new"):
        one = tm.KaplanMeier(frame.loc[frame["arm"] == arm, "years"], frame.loc[frame["arm"] == arm, "event"])
        under, over = lines[f"arm={arm}, Kaplan–Meier"], lines[f"arm={arm}, fitted"]
        assert np.array_equal(under.get_ydata()[1:], one.table["survival"])
        assert under.get_color() == over.get_color()
        assert under.get_zorder() < over.get_zorder()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(lines)


def test_groups_of_kaplan_meier_curves_are_factors_levels_in_their_order(frame):
    grade = pd.Categorical(np.resize(["mild", "fair", "bad"], len(frame)), categories=["mild", "fair", "bad"])
    frame = frame.assign(grade=grade, code=np.resize([2, 10, 1, 2], len(frame)))

    def groups(right):
        return list(tm.KaplanMeier.from_formula(f"Surv(years, event) ~ {right}", frame))

    assert groups("grade") == groups("0 + grade") == ["grade=mild", "grade=fair", "grade=bad"]
    assert groups("C(code)") == ["C(code)=1", "C(code)=2", "C(code)=10"]
    assert groups("code") == ["code=1", "code=2", "code=10"]
    both = [f"arm={arm}, grade={g}" for arm in ("new", "old") for g in ("mild", "fair", "bad")]
    assert groups("arm + grade") == groups("arm * grade") == both
    assert groups("C(arm, Sum)") == ["C(arm, Sum)[S.new]=-1", "C(arm, Sum)[S.new]=1"]
    curves = tm.KaplanMeier.from_formula("Surv(years, event) ~ grade", frame)
    mild = frame[frame["grade"] == "mild"]
    alone = tm.KaplanMeier(mild["years"], mild["event"])
    assert np.array_equal(curves["grade=mild"].table["survival"], alone.table["survival"])


def test_one_kaplan_meier_curve_lies_under_the_average_one(survival, frame, ax):
    survival.plot_survival(ax=ax, kaplan_meier=tm.KaplanMeier(frame["years"], frame["event"]))
    lines = labelled(ax)
    assert list(lines) == ["Kaplan–Meier", "fitted"]
    assert ax.get_xlim() == (0, frame["years"].max())


def test_rows_are_called_by_their_names_or_what_tells_them_apart(survival, frame):
    new = pd.DataFrame({"trt": [0, 1], "x": [5.0, 5.0]})
    assert [curve.label for curve in survival_curves(survival, new, [1.0])] == ["trt=0", "trt=1"]
    named = new.set_axis(["placebo", "drug"])
    assert [curve.label for curve in survival_curves(survival, named, [1.0])] == ["placebo", "drug"]
    arrays = tm.ExponentialSurvival(frame["years"].to_numpy(), frame[["trt"]].to_numpy(), event=frame["event"]).fit()
    assert [curve.label for curve in survival_curves(arrays, np.array([[0.0], [1.0]]), [1.0])] == ["row 0", "row 1"]


def test_survival_curves_need_a_survival_model_and_times(poisson, survival, frame, tmp_path):
    pair = tm.MVNormal.from_formula("y + w ~ 1", frame).fit()
    for res in (poisson, pair):
        with pytest.raises(ValueError, match="is not a survival model"):
            res.plot_survival()
    with pytest.raises(ValueError, match="pass times="):
        survival.predict(which="survival")
    with pytest.raises(ValueError, match="must be a vector of numbers that are not negative"):
        survival.plot_survival(times=[-1.0, 1.0])
    survival.save(tmp_path / "fit.tm")
    loaded = tm.load(tmp_path / "fit.tm")
    with pytest.raises(ValueError, match="give times="):
        loaded.plot_survival(pd.DataFrame({"trt": [0]}))
    (curve,) = survival_curves(loaded, pd.DataFrame({"trt": [0]}), [1.0])
    assert curve.survival == survival_curves(survival, pd.DataFrame({"trt": [0]}), [1.0])[0].survival


# -- Kaplan-Meier ------------------------------------------------------------------------------------------------


def test_steps_start_at_one_and_hold_the_estimate_and_its_band(frame, ax):
    curve = tm.KaplanMeier(frame["years"], frame["event"], label="everybody")
    assert curve.plot(ax=ax, color="black") is ax
    (line,), (shade,) = ax.lines, ax.collections
    assert line.get_drawstyle() == "steps-post"
    assert line.get_label() == "everybody" and line.get_color() == "black"
    assert np.array_equal(line.get_ydata(), [1.0, *curve.table["survival"]])
    assert np.array_equal(line.get_xdata(), [0.0, *curve.table["time"]])
    limits = curve.conf_int()
    vertices = shade.get_paths()[0].vertices
    assert np.isin(np.round(limits, 12), np.round(vertices[:, 1], 12)).all()


def test_steps_without_band(frame):
    ax = tm.KaplanMeier(frame["years"], frame["event"]).plot(conf_int=False)
    assert not ax.collections
    assert ax.get_xlim() == (0, frame["years"].max())


# -- trace -------------------------------------------------------------------------------------------------------


def test_trace_holds_log_likelihood_and_decrement_of_each_step(poisson, ax):
    assert poisson.plot_trace(ax) is ax
    history = poisson.optim.history
    right = ax.figure.axes[1]
    assert np.array_equal(ax.lines[0].get_ydata(), [step.value for step in history])
    assert ax.lines[0].get_ydata()[-1] == pytest.approx(poisson.llf)
    assert np.array_equal(right.lines[0].get_ydata(), [step.decrement for step in history if step.decrement > 0])
    assert right.get_yscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel(), right.get_ylabel()) == (
        "Iteration (newton)",
        "Log-likelihood",
        "Newton decrement",
    )


def test_a_closed_form_has_no_trace(frame):
    with pytest.raises(ValueError, match="the estimates are a closed form"):
        tm.OLS.from_formula("y ~ x", frame).fit().plot_trace()


# -- all of them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plot_coefficients", "plot_survival", "plot_trace"])
def test_given_axes_leave_pyplot_alone_and_new_ones_are_its_own(survival, ax, name):
    getattr(survival, name)(ax=ax)
    assert not plt.get_fignums()
    made = getattr(survival, name)()
    assert made.figure is plt.gcf()


def test_labels_of_the_caller_stay(survival, ax):
    ax.set(xlabel="Jahre", ylabel="Überleben")
    survival.plot_survival(ax=ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Jahre", "Überleben")


@pytest.mark.parametrize("name", ["plot_coefficients", "plot_diagnostics", "plot_survival", "plot_trace"])
def test_results_only_call_the_functions(poisson, monkeypatch, name):
    monkeypatch.setattr(plots, name, lambda results, *rest, **options: results)
    assert getattr(poisson, name)() is poisson
