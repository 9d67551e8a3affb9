"""A saved design predicts the same in a fresh process, and refuses what it cannot carry there."""

import copy
import json
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from torchmle.errors import FormulaError
from torchmle.formula import Design, caller_environment, design_from_arrays, design_from_formula
from torchmle.formula.portable import decode, encode

PREDICT = """
import json, sys
import numpy as np, pandas as pd
from torchmle.formula import Design
design = Design.from_dict(json.load(sys.stdin))
rows = design.rows(pd.read_json(sys.argv[1], orient="split"), response=True)
json.dump([rows.data.x["mu"].tolist(), rows.data.y.tolist(), design.columns["mu"]], sys.stdout)
"""

cuts = [-0.5, 0.5]


def frame(n=40):
    rng = np.random.default_rng(0)
    df = pd.DataFrame(rng.normal(size=(n, 2)), columns=["x", "w"])
    return df.assign(
        y=rng.exponential(size=n), e=rng.integers(0, 2, n), g=rng.choice(list("abc"), n), k=rng.integers(0, 3, n)
    )


def build(formula, df, **options):
    return design_from_formula({"mu": formula}, df, env=caller_environment(1), **options)


def test_a_fresh_process_predicts_the_same(tmp_path):
    df, power = frame(), 3.0
    path = tmp_path / "new.json"
    df.to_json(path, orient="split", double_precision=15)
    df = pd.read_json(path, orient="split")
    formula = (
        "np.log1p(y) ~ center(x)*g + standardize(w) + bs(x, knots=cuts) + cr(w, df=3) + cc(x, df=3) "
        "+ te(cr(x, 3), cr(w, 3)) + C(k, Sum):w + I(x**power) + expit(x) + C(pd.cut(w, [-9, 0, 9])) + I(k == 1)"
    )
    rows = build(formula, df, drop_cols=["C(k, Sum)[S.0]:w"])
    assert power == 3
    saved = json.dumps(rows.design.to_dict())
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PREDICT, str(path)], input=saved, capture_output=True, text=True
    )
    assert not done.stderr
    x, y, columns = json.loads(done.stdout)
    assert tuple(columns) == rows.design.columns["mu"]
    np.testing.assert_array_equal(np.array(x), rows.data.x["mu"])
    np.testing.assert_array_equal(np.array(y), rows.data.y)


@pytest.mark.parametrize(
    "formula", ["Surv(y, e) ~ x", "g ~ x", "y + w ~ 0 + g", "y ~ C(g, Treatment('b')):x", "I(y > 1) ~ C(x > 0)"]
)
def test_to_dict_and_back_loses_nothing(formula):
    df = frame()
    rows = build(formula, df, classes=True, arguments={"offset": "w"})
    content = rows.design.to_dict()
    design = Design.from_dict(json.loads(json.dumps(content)))
    assert design.to_dict() == content
    again, expected = (recipe.rows(df, response=True).data for recipe in (design, rows.design))
    np.testing.assert_array_equal(again.y, expected.y)
    np.testing.assert_array_equal(again.x["mu"], expected.x["mu"])
    assert list(again.columns) == list(expected.columns)
    for name in ("formulas", "response", "response_label", "columns", "terms", "row_names", "pandas", "event_level"):
        assert getattr(design, name) == getattr(rows.design, name), name


def test_designs_pickle_and_copy():
    df = frame()
    design = build("y ~ center(x)*g", df).design
    assert copy.deepcopy(design) is design
    again = pickle.loads(pickle.dumps(design))  # noqa: S301 - our own bytes
    np.testing.assert_array_equal(again.rows(df).data.x["mu"], design.rows(df).data.x["mu"])


def test_matrix_designs():
    x = np.column_stack([np.ones(4), np.arange(4.0)])
    design = design_from_arrays(np.arange(4.0), {"mu": x}).design
    again = Design.from_dict(json.loads(json.dumps(design.to_dict())))
    assert again.to_dict() == design.to_dict() and again.columns["mu"] == ("const", "x1")
    np.testing.assert_array_equal(again.rows(x[:2]).data.x["mu"], x[:2])


def test_no_training_value_is_saved():
    df = frame().assign(x=lambda d: d["x"] + 123456.789)
    saved = json.dumps(build("y ~ x + g", df).design.to_dict())
    assert "12345" not in saved and len(saved) < 3000


def test_what_cannot_be_imported_is_refused_by_name():
    df = frame()

    def local(values):
        return values

    function = lambda values: values  # noqa: E731
    assert local(1) == function(1)
    for formula, name in (("y ~ local(x)", "local"), ("y ~ I(function(x))", "<lambda>")):
        with pytest.raises(FormulaError, match=f"cannot be saved.*{name}"):
            build(formula, df).design.to_dict()
    code = "import pandas as pd\nfrom torchmle.formula import *\ndef mine(x): return x\n"
    code += "d = pd.DataFrame({'y': [1., 2.], 'x': [3., 4.]})\n"
    code += "design_from_formula({'mu': 'y ~ mine(x)'}, d, env=caller_environment()).design.to_dict()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "mine cannot be saved" in done.stderr and "FormulaError" in done.stderr


def test_another_format_is_refused():
    with pytest.raises(FormulaError, match="format 99"):
        Design.from_dict({"version": 99})


@pytest.mark.parametrize(
    "value",
    [
        *(1, 2.5, True, None, "text", (1, "a"), [1.5, None], {"a": (1,)}, {3, 4}, np.pi * 1e300, float("inf")),
        *(np.float32(1.5), np.int8(3), np.bool_(True), np.longdouble(1) / 3),
        *(pd.Timestamp("2024-05-01 12:00"), pd.Interval(0, 1.5, "left"), pd.Timedelta("3h"), pd.Period("2024-05", "M")),
        *(np.datetime64("2024-05-01"), np.log, expit, pd.cut, dict, json),
    ],
    ids=repr,
)
def test_values_survive_json(value):
    again = decode(json.loads(json.dumps(encode(value))))
    assert again == value and (again is value or not callable(value))


@pytest.mark.parametrize("dtype", [float, "float32", "int8", bool, np.longdouble, object])
def test_arrays_survive_json(dtype):
    value = (np.arange(6).reshape(2, 3) / 3).astype(dtype)
    again = decode(json.loads(json.dumps(encode(value))))
    assert again.dtype == value.dtype and again.shape == value.shape
    np.testing.assert_array_equal(again, value)
