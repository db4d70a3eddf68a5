from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nn.stacks import BIASED, CONFIG, mask, shaken
from sprachbund.nn.decoder import DecoderStack
from sprachbund.nn.gated_bias import GatedBias, biased_attention
from sprachbund.nn.transformer import EncoderStack, StackConfig

NORMS = pytest.mark.parametrize("norm_first", [False, True])


@NORMS
def test_encoder_layers_do_what_the_paper_writes(norm_first):
    """Residuals, norms and relative positions of a stack, written out."""
    torch.manual_seed(0)
    stack = shaken(EncoderStack(replace(CONFIG, norm_first=norm_first)))
    states = torch.randn(2, 5, 16)
    expected = states if norm_first else stack.norm(states)
    for layer in stack.layers:
        attention, norm, final = layer.attention, layer.attention_norm, layer.final_norm
        table = stack.relative.table.weight

        def attend(inner, table, attention=attention):
            queries = attention._split(attention.query(inner)) * 0.5
            keys, values = attention.project_memory(inner)
            distance = torch.arange(5)[:, None] - torch.arange(5)[None]
            vectors = table[distance.clamp(-3, 2) + 3]
            logits = queries @ keys.transpose(2, 3) + torch.einsum("bhqd,qkd->bhqk", queries, vectors)
            return attention._join(logits.softmax(dim=3) @ values)

        if norm_first:
            expected = expected + attend(norm(expected), layer.relative_norm(table))
            expected = expected + layer.feed_forward(final(expected))
        else:
            expected = norm(expected + attend(expected, table))
            expected = final(expected + layer.feed_forward(expected))
    if norm_first:
        expected = stack.norm(expected)
    torch.testing.assert_close(stack(states, None), expected, rtol=1e-5, atol=1e-5)


@NORMS
def test_each_layer_gates_the_bias_by_what_it_attends_from(norm_first):
    torch.manual_seed(0)
    stack = shaken(EncoderStack(replace(BIASED, norm_first=norm_first)))
    states = torch.randn(2, 5, 16)
    expected = states if norm_first else stack.norm(states)
    for layer in stack.layers:
        attention, norm, final = layer.attention, layer.attention_norm, layer.final_norm
        inner = norm(expected) if norm_first else expected
        bias = GatedBias(stack.distance_bias(5), layer.bias_gate(inner))
        queries = attention._split(attention.query(inner))
        attended = attention._join(biased_attention(queries, *attention.project_memory(inner), bias))
        if norm_first:
            expected = expected + attended
            expected = expected + layer.feed_forward(final(expected))
        else:
            expected = norm(expected + attended)
            expected = final(expected + layer.feed_forward(expected))
    if norm_first:
        expected = stack.norm(expected)
    torch.testing.assert_close(stack(states, None), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("config", [CONFIG, BIASED], ids=["table", "bias"])
@NORMS
def test_encoding_ignores_padding(norm_first, config):
    torch.manual_seed(0)
    stack = shaken(EncoderStack(replace(config, norm_first=norm_first)))
    lengths = [6, 3, 1]
    states = torch.randn(3, 6, 16)
    batched = stack(states, mask(lengths))
    for row, length in enumerate(lengths):
        alone = stack(states[row : row + 1, :length], mask([length]))
        torch.testing.assert_close(batched[row, :length], alone[0], rtol=1e-5, atol=1e-5)
        assert not batched[row, length:].any()


@NORMS
@settings(deadline=None, max_examples=20)
@given(layers=st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_states_after_layers_are_those_that_pass_through(norm_first, layers):
    torch.manual_seed(0)
    stack = shaken(EncoderStack(replace(CONFIG, num_layers=4, norm_first=norm_first)))
    states, padding = torch.randn(2, 5, 16), mask([5, 3])
    passed = []
    for layer in stack.layers:
        layer.register_forward_hook(lambda _, inputs, output: passed.append((inputs[0], output)))
    whole = stack(states, padding)
    expected = [passed[0][0], *(output for _, output in passed[:-1]), whole]
    passed.clear()
    found = stack.states_after(layers, states, padding)
    assert len(passed) == max(layers)  # what lies above is not computed
    assert len(found) == len(layers)
    for number, after in zip(layers, found, strict=True):
        assert torch.equal(after, expected[number].masked_fill(padding[:, :, None], 0.0))
        assert not after[1, 3:].any()


def test_padding_can_be_kept():
    torch.manual_seed(0)
    stack = EncoderStack(CONFIG, keeps_padding=True).eval()
    assert stack(torch.randn(2, 4, 16), mask([4, 2]))[1, 2:].abs().min() > 0


@NORMS
def test_unused_norms_are_frozen(norm_first):
    stack = EncoderStack(replace(CONFIG, norm_first=norm_first))
    stack(torch.randn(1, 4, 16), None).square().sum().backward()
    for layer in stack.layers:
        assert layer.relative_norm.weight.requires_grad == norm_first
        assert (layer.relative_norm.weight.grad is not None) == norm_first
    decoder = DecoderStack(replace(CONFIG, norm_first=norm_first), 16, unused_head_dim=4)
    assert not any(p.requires_grad for name, p in decoder.named_parameters() if "unused" in name)
    assert sum("unused" in name for name, _ in decoder.named_parameters()) == 5


def test_a_stack_can_do_without_relative_positions():
    stack = EncoderStack(replace(CONFIG, max_relative_distance=None))
    assert not [name for name, _ in stack.named_parameters() if "relative" in name]
    # Without positions, the order of the states does not matter.
    states = torch.randn(1, 5, 16)
    order = torch.tensor([3, 1, 4, 0, 2])
    torch.testing.assert_close(stack.eval()(states[:, order], None), stack(states, None)[:, order])


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu", "silu", "tanh", "linear"])
def test_every_activation_runs(activation):
    stack = EncoderStack(replace(CONFIG, activation=activation))
    assert stack(torch.randn(1, 3, 16), None).isfinite().all()


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="num_heads"):
        StackConfig(dim=10, num_heads=3)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"max_relative_distance": 3}, "cannot be used together"),
        ({"bias_buckets": 3}, "bias_buckets \\(3\\) must be four at least"),
        ({"max_bias_distance": 2}, "fewer than four times max_bias_distance \\(2\\)"),
    ],
)
def test_a_bias_needs_distances_of_its_own(values, told):
    with pytest.raises(ValueError, match=told):
        replace(BIASED, **values)


@pytest.mark.parametrize("rate", ["dropout", "attention_dropout", "activation_dropout"])
@pytest.mark.parametrize("kind", ["encoder", "biased", "decoder"])
def test_each_dropout_acts_in_training_only(kind, rate):
    torch.manual_seed(0)
    none = {"dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0}
    config = BIASED if kind == "biased" else replace(CONFIG, max_relative_distance=None)
    config = replace(config, **(none | {rate: 0.5}))
    states, memory = torch.randn(1, 6, 16), torch.randn(1, 4, 16)

    def run():
        return stack(states, memory, None).states if kind == "decoder" else stack(states, None)

    stack = shaken(DecoderStack(config, 16) if kind == "decoder" else EncoderStack(config))
    assert torch.equal(run(), run())
    stack.train()
    assert not torch.allclose(run(), run(), atol=1e-4)


@NORMS
@pytest.mark.parametrize("kind", ["encoder", "biased", "decoder"])
def test_computing_layers_again_changes_nothing(kind, norm_first):
    """Not one bit, with dropout and dropped layers, though less is kept for the backward pass."""
    config = BIASED if kind == "biased" else CONFIG
    config = replace(config, num_layers=4, norm_first=norm_first, layerdrop=0.3, activation_dropout=0.1)
    torch.manual_seed(0)
    stack = DecoderStack(config, 16) if kind == "decoder" else EncoderStack(config)
    states, memory = torch.randn(2, 6, 16), torch.randn(2, 5, 16)
    found, kept = [], []
    for recomputes in (False, True):
        stack.recomputes = recomputes
        stack.zero_grad()
        first = states.clone().requires_grad_()
        torch.manual_seed(0)
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x, sizes=sizes: sizes.append(x.numel()) or x, lambda x: x):
            result = stack(first, memory, mask([5, 2])).states if kind == "decoder" else stack(first, mask([6, 4]))
        result.square().sum().backward()
        found.append([result, first.grad, torch.rand(2), *(p.grad for p in stack.parameters() if p.grad is not None)])
        kept.append(sum(sizes))
    assert len(found[0]) == len(found[1]) > 10
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    assert kept[1] < kept[0] / 2


@pytest.mark.parametrize("config", [CONFIG, BIASED], ids=["table", "bias"])
def test_sums_of_layers_stay_single_in_mixed_precision(config):
    torch.manual_seed(0)
    stack, decoder = EncoderStack(config).eval(), DecoderStack(CONFIG, 16).eval()
    states = torch.randn(2, 6, 16)
    with torch.no_grad():
        expected = stack(states, mask([6, 4]))
        decoded = decoder(states, expected, mask([6, 4])).states
        with torch.autocast("cpu", torch.bfloat16):
            short = stack(states.bfloat16(), mask([6, 4]))
            spoken = decoder(states.bfloat16(), short, mask([6, 4])).states
    assert short.dtype == spoken.dtype == torch.float32
    assert (short - expected).norm() < 0.02 * expected.norm()
    assert (spoken - decoded).norm() < 0.02 * decoded.norm()
