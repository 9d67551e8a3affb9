"""The loop over rows: any blocks, any number of threads, one answer."""

import numpy as np
import pytest
import torch
from problems import Gumbel, gumbel_data

import torchmle as tm
from torchmle import sums
from torchmle.data import Data
from torchmle.linalg import dependent_columns, invert_information, triangular_factor


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(10_001, 3)))
    return Data(torch.from_numpy(rng.normal(size=10_001)), {"mu": x}, {"code": torch.arange(10_001)})


def moments(block):
    return block.y.sum(), block.x["mu"].T @ block.y, block.x["mu"].T @ block.x["mu"]


@pytest.mark.parametrize("rows", [1, 7, 1000, 1024, 10_000, 10_001, 20_000])
def test_every_row_is_in_one_block(data, rows):
    slices = sums.block_slices(data, rows)
    assert [i for part in slices for i in range(part.start, part.stop)] == list(range(data.n))
    assert max(part.stop - part.start for part in slices) <= rows


@pytest.mark.parametrize("rows", [7, 1000, 10_000])
def test_sums_are_those_of_the_whole(data, rows):
    for part, whole in zip(sums.row_sums(moments, data, rows), moments(data), strict=True):
        torch.testing.assert_close(part, whole, rtol=1e-12, atol=1e-10)  # a sum of 10,000 numbers around zero
        assert part.dtype == torch.float64


@pytest.mark.parametrize("rows", [7, 1000, 10_000])
def test_maps_keep_the_order(data, rows):
    assert torch.equal(sums.row_map(lambda block: block.code, data, rows), data.code)
    assert torch.equal(sums.row_map(lambda block: block.x["mu"] * 2, data, rows), data.x["mu"] * 2)


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_the_number_of_threads_changes_no_bit(data, threads):
    found = []
    for number in (1, 2, 3):
        threads(number)
        found.append(sums.row_sums(moments, data, 100))
        assert torch.get_num_threads() == number
    for other in found[1:]:
        assert all(torch.equal(one, two) for one, two in zip(found[0], other, strict=True))


def test_a_fit_in_many_blocks_does_not_depend_on_threads(threads):
    df = gumbel_data(np.random.default_rng(0), 200_000)
    found = []
    for number in (1, 2):
        threads(number)
        model = Gumbel.from_formula("y ~ x + w", df, sigma="~ w")
        assert len(sums.block_slices(model.rows)) > 2
        found.append(model.fit())
    assert found[0].params.equals(found[1].params)
    assert found[0].bse.equals(found[1].bse)
    assert found[0].llf == found[1].llf
    truth = {"Intercept": 1.0, "x": 0.5, "w": -0.3, "sigma[Intercept]": 0.2, "sigma[w]": 0.6}
    assert all(abs(found[0].params[name] - value) < 4 * found[0].bse[name] for name, value in truth.items())


def test_a_function_may_return_parts_of_the_data(data):
    before = data.y.clone()
    total, ones = sums.row_sums(lambda block: (block.y[:1], torch.ones(1).expand(1)), data, 100)
    assert torch.equal(data.y, before)
    assert float(ones) == 101
    assert float(total) == pytest.approx(float(data.y[::100].sum()))


def test_errors_in_a_block_reach_the_caller(data, threads):
    def fail(block):
        if int(block.code[0]) == 900:
            raise ArithmeticError("in block 9")
        return moments(block)

    for number in (1, 2):
        threads(number)
        with pytest.raises(ArithmeticError, match="block 9"):
            sums.row_sums(fail, data, 100)
        assert torch.get_num_threads() == number


def test_blocks_are_centred_and_double():
    x = torch.tensor([[1.0, 5.0], [1.0, 7.0], [1.0, 9.0]], dtype=torch.float32)
    data = Data(
        x[:, 1], {"mu": x}, {"count": torch.tensor([1, 2, 3])}, {"mu": torch.tensor([0.0, 7.0], dtype=torch.float64)}
    )
    block = data.block(slice(1, 3))
    assert block.n == 2
    assert block.x["mu"].tolist() == [[1.0, 0.0], [1.0, 2.0]]
    assert block.x["mu"].dtype == block.y.dtype == torch.float64
    assert block.count.dtype == torch.int64
    assert data.x["mu"].tolist() == x.tolist()


def test_float32_data_are_summed_in_double():
    df = gumbel_data(np.random.default_rng(0), 500)
    with pytest.warns(tm.errors.PrecisionWarning, match="7 digits"):
        single = Gumbel.from_formula("y ~ x + w", df, sigma="~ w", dtype=torch.float32).fit()
    rounded = df.assign(**{name: df[name].astype(np.float32).astype(float) for name in ("y", "x", "w")})
    double = Gumbel.from_formula("y ~ x + w", rounded, sigma="~ w").fit()
    assert single.model.rows.y.dtype == torch.float32
    np.testing.assert_allclose(single.params, double.params, rtol=1e-10)
    np.testing.assert_allclose(single.bse, double.bse, rtol=1e-10)
    assert single.llf == pytest.approx(double.llf, rel=1e-13)


# -- small dense linear algebra ----------------------------------------------------------------------------------


def test_the_triangular_factor_does_not_depend_on_blocks():
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(500, 4)))
    whole, parts = triangular_factor([x]), triangular_factor(x.split(37))
    torch.testing.assert_close(parts.T @ parts, x.T @ x)
    torch.testing.assert_close(parts.abs(), whole.abs())
    assert triangular_factor([x[:2]]).shape == (2, 4)


@pytest.mark.parametrize("scale", [1.0, 1e-8, 1e8])
def test_dependent_columns_are_the_later_ones(scale):
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 400))
    x = torch.from_numpy(np.column_stack([np.ones(400), a * scale, 3 - 2 * a, b, a + b, np.zeros(400)]))
    assert dependent_columns(triangular_factor([x]), 400) == [2, 4, 5]
    near = torch.from_numpy(np.column_stack([np.ones(400), a * scale, a * scale * (1 + 1e-9 * b)]))
    assert dependent_columns(triangular_factor([near]), 400) == []


@pytest.mark.parametrize("scale", [1.0, 1e-10, 1e10])
def test_inverses_do_not_depend_on_units(scale):
    a = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    unit = torch.tensor([1.0, scale], dtype=torch.float64)
    found = invert_information(a * unit * unit[:, None])
    torch.testing.assert_close(found.matrix * unit * unit[:, None], torch.linalg.inv(a), rtol=1e-14, atol=0)
    assert found.definite
    assert found.condition == pytest.approx(
        float(torch.linalg.cond(a / a.diagonal().sqrt() / a.diagonal().sqrt()[:, None]))
    )


@pytest.mark.parametrize(
    "matrix",
    [
        [[1.0, 1.0], [1.0, 1.0]],
        [[1.0, 2.0], [2.0, 1.0]],
        [[1.0, 0.0], [0.0, 0.0]],
        [[1.0, 0.0], [0.0, -1.0]],
        [[np.nan, 0.0], [0.0, 1.0]],
    ],
)
def test_what_is_not_definite_has_no_inverse(matrix):
    found = invert_information(torch.tensor(matrix, dtype=torch.float64))
    assert not found.definite
    assert bool(torch.isnan(found.matrix).all())


def test_a_wide_design_is_named_and_not_inverted():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(6, 2))
    with pytest.warns(tm.errors.RankWarning, match="x3"):
        res = tm.Normal(rng.normal(size=6), np.column_stack([x, x.sum(1)])).fit()
    assert np.isnan(res.bse[2]) and np.isnan(res.params[2]) and np.isfinite(res.bse[:2]).all()
