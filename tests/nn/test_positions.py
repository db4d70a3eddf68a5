import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from sprachbund.nn.positions import (
    ConvolutionalPositions,
    ScaledSinusoids,
    StackedPositions,
    blocked_sinusoids,
    interleaved_sinusoids,
    relative_bias,
)


def test_both_sinusoids_are_the_original_tables(golden):
    tables = load_file(golden / "preprocess" / "positional_tables" / "io.safetensors")
    compared = 0
    for name, table in tables.items():
        if name.startswith("out.fairseq_sinusoid_pad1_dim"):
            numbers = torch.arange(2, len(table))  # rows 0 and 1 belong to no position
            ours, theirs = blocked_sinusoids(numbers, table.shape[1]), table[2:]
        elif name.startswith("out.espnet_pe_dim"):
            table = table.reshape(-1, table.shape[-1])
            ours, theirs = interleaved_sinusoids(torch.arange(len(table)), table.shape[1]), table
        else:
            continue
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
        compared += 1
    assert compared >= 2


def test_scaled_sinusoids_continue_where_the_cache_ended():
    positions = ScaledSinusoids(0.0, initial_scale=0.5)
    states = torch.randn(2, 9, 6)
    whole = positions(states)
    torch.testing.assert_close(positions(states[:, 4:], first=4), whole[:, 4:])
    torch.testing.assert_close(whole - states, (0.5 * interleaved_sinusoids(torch.arange(9), 6)).expand(2, -1, -1))


def test_unscaled_sinusoids_scale_the_states():
    states = torch.randn(1, 3, 4)
    positions = ScaledSinusoids(0.0, initial_scale=None)
    assert not list(positions.parameters())
    torch.testing.assert_close(positions(states), 2 * states + interleaved_sinusoids(torch.arange(3), 4))


@pytest.mark.parametrize("kernel", [4, 5])
def test_convolutional_positions_are_a_weight_normalised_convolution(kernel):
    torch.manual_seed(0)
    ours = ConvolutionalPositions(6, kernel, 2)
    with torch.no_grad():
        ours.weight_gain.mul_(torch.rand_like(ours.weight_gain) + 0.5)
        ours.bias.normal_()
    plain = torch.nn.Conv1d(6, 6, kernel, padding=kernel // 2, groups=2)
    theirs = torch.nn.utils.parametrizations.weight_norm(plain, dim=2)
    with torch.no_grad():
        theirs.parametrizations.weight.original0.copy_(ours.weight_gain)
        theirs.parametrizations.weight.original1.copy_(ours.weight_direction)
        theirs.bias.copy_(ours.bias)
    states = torch.randn(2, 9, 6)
    expected = torch.nn.functional.gelu(theirs(states.transpose(1, 2))[:, :, :9]).transpose(1, 2)
    torch.testing.assert_close(ours(states), expected)


def test_long_sequences_take_another_way_to_the_same_positions():
    torch.manual_seed(0)
    positions = ConvolutionalPositions(6, 4, 2)
    short, long = torch.randn(1, 8, 6), torch.randn(3, 50, 6)
    assert positions._is_long(long)
    assert not positions._is_long(short)
    result = positions(long)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConvolutionalPositions, "_is_long", lambda *_: False)
        expected = positions(long)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
    ours, theirs = (torch.autograd.grad(x.square().sum(), positions.parameters()) for x in (result, expected))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("change", ["step", "load", "data"])
def test_what_is_kept_for_long_sequences_follows_the_weights(change):
    torch.manual_seed(0)
    positions, other = ConvolutionalPositions(6, 4, 2), ConvolutionalPositions(6, 4, 2)
    states = torch.randn(3, 50, 6)
    with torch.no_grad():
        first = positions(states)
        assert torch.equal(positions(states), first)
        if change == "step":
            positions.weight_gain.mul_(2.0)
        elif change == "load":
            positions.load_state_dict(other.state_dict())
        else:
            positions.weight_direction.data = other.weight_direction.data
        again = positions(states)
        assert not torch.allclose(again, first)
        other.load_state_dict(positions.state_dict())  # what is kept is no weight
        torch.testing.assert_close(again, other(states))


def test_gains_begin_as_the_norms():
    positions = ConvolutionalPositions(6, 4, 2)
    torch.testing.assert_close(positions.weight_gain, positions.weight_direction.norm(dim=(0, 1), keepdim=True))


@settings(deadline=None, max_examples=40)
@given(
    num_queries=st.integers(1, 12),
    past=st.integers(0, 9),
    future=st.integers(0, 9),
    max_distance=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_relative_bias_is_the_gathered_table(num_queries, past, future, max_distance, seed):
    torch.manual_seed(seed)
    num_keys = past + num_queries + future
    queries = torch.randn(2, 3, num_queries, 4)
    table = torch.randn(2 * max_distance, 4)
    distance = torch.arange(past, past + num_queries)[:, None] - torch.arange(num_keys)[None]
    vectors = table[distance.clamp(-max_distance, max_distance - 1) + max_distance]  # -> query key dim
    expected = torch.einsum("bhqd,qkd->bhqk", queries, vectors)
    torch.testing.assert_close(relative_bias(queries, table, num_keys, past), expected)


def test_relative_bias_teaches_the_table():
    queries, table = torch.randn(1, 2, 5, 4), torch.randn(6, 4, requires_grad=True)
    relative_bias(queries, table, 5, 0).square().sum().backward()
    assert (table.grad.abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize("kernel", [4, 5])
def test_stacked_positions_are_convolutions_norms_and_activations(kernel):
    torch.manual_seed(0)
    positions = StackedPositions(6, kernel, 2, 3)
    states = torch.randn(2, 9, 6)
    expected = states.transpose(1, 2)
    for convolution in positions.convolutions:
        left, right = kernel // 2, (kernel - 1) // 2
        padded = torch.nn.functional.pad(expected, (left, right))
        values = torch.nn.functional.conv1d(padded, convolution.weight, convolution.bias, groups=2)
        centred = values - values.mean(1, keepdim=True)
        normed = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
        expected = torch.nn.functional.gelu(normed)
    found = positions(states, torch.zeros(2, 9, dtype=torch.bool))
    torch.testing.assert_close(found, expected.transpose(1, 2), rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(lengths=st.lists(st.integers(1, 12), min_size=2, max_size=3), kernel=st.integers(1, 6))
def test_stacked_positions_ignore_padding(lengths, kernel):
    torch.manual_seed(0)
    positions = StackedPositions(6, kernel, 2, 3)
    states = torch.randn(len(lengths), max(lengths), 6)
    mask = torch.arange(max(lengths))[None] >= torch.tensor(lengths)[:, None]
    batched = positions(states, mask)
    for row, length in enumerate(lengths):
        alone = positions(states[row : row + 1, :length], mask[row : row + 1, :length])
        torch.testing.assert_close(batched[row, :length], alone[0], rtol=1e-5, atol=1e-5)
