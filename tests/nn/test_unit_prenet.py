import math
from typing import Any

import pytest
import torch

from sprachbund.errors import DataError
from sprachbund.nn.unit_prenet import UnitPrenet


def build(**changes: Any) -> UnitPrenet:
    torch.manual_seed(0)
    return UnitPrenet(8, 12, **{"max_positions": 6, "has_norm": True, "is_scaled": False, **changes})


def mask(lengths: list[int], size: int) -> torch.Tensor:
    return torch.arange(size)[None] >= torch.tensor(lengths)[:, None]


def test_states_get_positions_from_row_two_on_and_a_norm():
    prenet, states = build(), torch.randn(2, 4, 8)
    padding_mask = mask([4, 2], 4)
    located = prenet(states, padding_mask)
    torch.testing.assert_close(located[0], prenet.norm(states[0] + prenet.positions.weight[2:6]))
    assert not located[1, 2:].any()


def test_parts_can_be_left_out():
    plain = build(max_positions=None, has_norm=False)
    states = torch.randn(1, 9, 8)
    assert torch.equal(plain(states, mask([9], 9)), states)
    scaled = build(max_positions=None, has_norm=False, is_scaled=True)
    torch.testing.assert_close(scaled(states, mask([9], 9)), states * math.sqrt(8))


def test_padding_has_no_vector():
    prenet = build()
    vectors = prenet.embed(torch.tensor([[5, 1]]))
    assert torch.equal(vectors[0, 0], prenet.embedding.weight[5])
    assert not vectors[0, 1].any()


def test_more_states_than_positions_are_refused():
    with pytest.raises(DataError, match=r"longer than the model has positions.*7 frames or units, 6 positions"):
        build()(torch.randn(1, 7, 8), mask([7], 7))
