"""Data: named tensors that share their rows and cannot be changed."""

import copy
import pickle

import numpy as np
import pytest
import torch

from torchmle.data import Data


@pytest.fixture
def data():
    x = torch.arange(12, dtype=torch.float64).reshape(6, 2)
    return Data(
        torch.arange(6.0),
        {"mu": x, "sigma": torch.ones(6, 1, dtype=torch.float64)},
        {"event": torch.tensor([1.0, 0, 1, 0, 1, 1], dtype=torch.float64), "groups": torch.arange(6) // 2},
        {"mu": torch.tensor([1.0, 2.0], dtype=torch.float64)},
    )


def test_columns_are_attributes(data):
    assert data.n == 6 and data.event is data.columns["event"]
    assert data.get("entry") is None and data.get("event") is data.event
    with pytest.raises(AttributeError, match="no column 'entry'; known columns: y, event, groups"):
        data.entry  # noqa: B018
    assert not hasattr(data, "offset")


def test_it_cannot_be_changed(data):
    with pytest.raises(AttributeError, match=r"immutable; use with_columns\(event=...\)"):
        data.event = torch.ones(6)
    more = data.with_columns(offset=torch.zeros(6), event=torch.ones(6))
    assert more.event.sum() == 6 and data.event.sum() == 4 and "offset" not in data.columns
    assert more.x["mu"] is data.x["mu"]


def test_rows_must_agree():
    with pytest.raises(ValueError, match="'event' has 3 rows, but 'y' has 4"):
        Data(torch.ones(4), {}, {"event": torch.ones(3)})
    assert Data(None, {}).n == 0 and Data(None, {"mu": torch.ones(3, 2)}).n == 3


def test_blocks_are_centred_views_in_double(data):
    block = data.block(slice(2, 5))
    assert block.n == 3
    np.testing.assert_array_equal(block.x["mu"], [[3, 3], [5, 5], [7, 7]])
    assert block.x["sigma"].data_ptr() == data.x["sigma"][2:].data_ptr()  # neither type nor values change: no copy
    assert block.event.data_ptr() == data.event[2:].data_ptr()
    assert block.y.dtype == torch.float64 and block.groups.dtype == torch.int64
    assert not block.shift  # done, so a block of a block is not centred twice


def test_moving_changes_floats_only(data):
    moved = data.to("cpu", torch.float32)
    assert moved.x["mu"].dtype == moved.event.dtype == moved.shift["mu"].dtype == torch.float32
    assert moved.groups.dtype == torch.int64
    assert moved.block(slice(None)).x["mu"].dtype == torch.float64
    same = data.to("cpu")
    assert same.x["mu"].data_ptr() == data.x["mu"].data_ptr()


@pytest.mark.parametrize("where", [torch.tensor([4, 0]), np.array([4, 0])])
def test_rows_by_position(data, where):
    part = data.take(where)
    assert part.y.tolist() == [4, 0] and part.groups.tolist() == [2, 0]
    np.testing.assert_array_equal(part.x["mu"], [[8, 9], [0, 1]])
    assert torch.equal(part.shift["mu"], data.shift["mu"])


@pytest.mark.parametrize("where", [torch.tensor([True, False] * 3), np.array([True, False] * 3)])
def test_rows_by_mask(data, where):
    assert data.take(where).y.tolist() == [0, 2, 4]


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda data: pickle.loads(pickle.dumps(data))])  # noqa: S301
def test_copies(data, again):
    other = again(data)
    assert other.n == 6 and torch.equal(other.event, data.event) and list(other.x) == ["mu", "sigma"]
    assert torch.equal(other.shift["mu"], data.shift["mu"])


def test_rows_without_a_response_say_so(data):
    new = Data(None, data.x)
    assert new.response is None and not hasattr(new, "y")
    with pytest.raises(AttributeError, match="no response: they are rows to predict"):
        new.y  # noqa: B018
    assert new.block(slice(0, 2)).n == 2 and new.take(torch.tensor([1])).n == 1


def test_other_centres_and_groups_share_the_tensors(data):
    other = data.with_shift({}).with_group(True)
    assert other.group is True and data.group is None
    assert other.block(slice(0, 1)).x["mu"].tolist() == [[0, 1]] and other.x["mu"] is data.x["mu"]
    assert other.with_columns(a=data.event).group is True and other.take(torch.arange(2)).group is True
    assert pickle.loads(pickle.dumps(other)).group is None  # noqa: S301 - a process group belongs to its process
