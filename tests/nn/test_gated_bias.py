import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nn.relative import Largest, padding, projected
from sprachbund.nn import relative_attention
from sprachbund.nn.gated_bias import BiasGate, DistanceBias, GatedBias, biased_attention

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def bucket(distance: int, num_buckets: int, max_distance: int) -> int:
    """The rule of the paper for one distance, key minus query."""
    half = num_buckets // 2
    near, far = half // 2, abs(distance)
    if far >= near:
        grown = (half - near) * math.log(far / near) / math.log(max_distance / near)
        far = min(near + int(grown), half - 1)
    return far + (half if distance > 0 else 0)


@pytest.mark.parametrize(("num_buckets", "max_distance"), [(320, 800), (16, 31), (5, 3)])
def test_distances_fall_into_buckets_by_their_logarithm(num_buckets: int, max_distance: int):
    bias = DistanceBias(num_buckets, max_distance, 1)
    with torch.no_grad():
        bias.table.weight.copy_(torch.arange(float(num_buckets))[:, None])
    numbers = bias(1000)[0].tolist()
    # Where a logarithm is a whole number, rounding decides: such distances may fall on either side.
    expected = [bucket(distance, num_buckets, max_distance) for distance in range(-999, 1000)]
    differing = [one - other for one, other in zip(numbers, expected, strict=True) if one != other]
    assert len(differing) <= 4
    assert all(abs(difference) == 1 for difference in differing)
    assert set(numbers) == set(expected)


@given(num_frames=st.integers(1, 40), more=st.integers(0, 30))
def test_the_bias_of_a_distance_does_not_depend_on_the_length(num_frames: int, more: int):
    torch.manual_seed(0)
    bias = DistanceBias(12, 20, 3)
    short, long = bias(num_frames), bias(num_frames + more)
    assert short.shape == (3, 2 * num_frames - 1)
    assert torch.equal(long[:, more : more + short.shape[1]], short)


def test_each_head_gates_by_its_own_part_of_the_state():
    torch.manual_seed(0)
    gate = BiasGate(2, 4)
    with torch.no_grad():
        gate.scale.copy_(torch.tensor([0.5, 3.0])[None, :, None, None])
    states = torch.randn(1, 3, 8)
    for head in range(2):
        parts = gate.projection(states[0, :, 4 * head : 4 * head + 4])
        update, reset = parts[:, :4].sum(1).sigmoid(), parts[:, 4:].sum(1).sigmoid()
        expected = update * (reset * gate.scale[0, head, 0, 0] - 1) + 2
        torch.testing.assert_close(gate(states)[0, head], expected)
    changed = states.clone()
    changed[:, :, 4:] += 1
    assert torch.equal(gate(changed)[:, 0], gate(states)[:, 0])
    assert not torch.allclose(gate(changed)[:, 1], gate(states)[:, 1], atol=1e-3)


def written_out(queries, keys, values, bias, hidden=None):
    """With the bias of all queries by all keys whole."""
    frames = keys.shape[2]
    distance = torch.arange(frames)[None] - torch.arange(frames)[:, None]
    logits = queries @ keys.transpose(2, 3) * queries.shape[3] ** -0.5
    logits = logits + bias.gates[..., None] * bias.distances[:, distance + frames - 1]
    if hidden is not None:
        logits = logits.masked_fill(hidden[:, None, None], -torch.inf)
    return logits.softmax(dim=3) @ values


def inputs(lengths: list[int], seed: int = 0):
    torch.manual_seed(seed)
    frames = max(lengths)
    parts = projected((len(lengths), 2, frames, 4), seed)
    return (*parts, GatedBias(3 * torch.randn(2, 2 * frames - 1), torch.randn(len(lengths), 2, frames)))


@settings(deadline=None, max_examples=20)
@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=3), step=st.integers(1, 13), seed=st.integers(0, 99))
def test_blocks_of_any_size_do_what_is_written_out(lengths: list[int], step: int, seed: int):
    queries, keys, values, bias = inputs(lengths, seed)
    mask = padding(lengths, max(lengths))
    expected = written_out(queries, keys, values, bias, mask)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relative_attention, "block_queries", lambda *_: step)
        found = biased_attention(queries, keys, values, bias, padding_mask=mask)
    torch.testing.assert_close(found, expected, **CLOSE)


def test_gradients_are_those_of_the_whole():
    queries, keys, values, bias = inputs([9])
    leaves = [part.detach().requires_grad_() for part in (queries, keys, values, *bias)]
    found = []
    for attend in (written_out, biased_attention):
        result = attend(*leaves[:3], GatedBias(*leaves[3:]))
        found.append(torch.autograd.grad(result.square().sum(), leaves))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relative_attention, "block_queries", lambda *_: 4)
        result = biased_attention(*leaves[:3], GatedBias(*leaves[3:]))
        found.append(torch.autograd.grad(result.square().sum(), leaves))
    for whole, at_once, in_blocks in zip(*found, strict=True):
        assert whole.abs().max() > 1e-3
        torch.testing.assert_close(at_once, whole, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(in_blocks, whole, rtol=1e-4, atol=1e-5)


def test_no_bias_of_all_queries_by_all_keys_exists_at_30_seconds():
    queries, keys, values, bias = inputs([1500])
    queries, keys, values = (part.repeat(1, 8, 1, 1) for part in (queries, keys, values))
    bias = GatedBias(bias.distances.repeat(8, 1), bias.gates.repeat(1, 8, 1))
    with torch.no_grad(), Largest() as largest:
        biased_attention(queries, keys, values, bias)
    whole = 16 * 1500 * 1500 * 4
    assert 0 < largest.bytes <= relative_attention.BLOCK_BYTES + (1 << 20) < whole / 2


def test_dropout_hides_weights_in_training_alone():
    queries, keys, values, bias = inputs([6])
    torch.manual_seed(0)
    once, again = (biased_attention(queries, keys, values, bias, dropout=0.5) for _ in range(2))
    assert not torch.allclose(once, again, atol=1e-3)
