from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nn.stacks import CONFIG, mask, shaken
from sprachbund.nn import decoder, packed_linear
from sprachbund.nn.decoder import DecoderStack

MEMORY = 10


def build(norm_first):
    torch.manual_seed(0)
    return shaken(DecoderStack(replace(CONFIG, norm_first=norm_first), MEMORY))


STACKS = {norm_first: build(norm_first) for norm_first in (False, True)}
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def memory_of(lengths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(lengths), max(lengths), MEMORY, generator=generator), mask(lengths)


def alone(stack, history, memory, length):
    """One hypothesis without a cache, a beam or padding: the last position's states and weights."""
    decoded = stack(history[None], memory[None, :length], None, need_weights=True)
    return decoded.states[0, -1], decoded.weights[-1][0, :, -1]


@settings(deadline=None, max_examples=15)
@given(
    norm_first=st.booleans(),
    packs=st.booleans(),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    data=st.data(),
)
def test_any_search_with_a_cache_is_each_hypothesis_alone(norm_first, packs, lengths, data):
    """Rows of any number an utterance, in any order; utterances that leave; several positions in a step."""
    stack, (memory, padding) = STACKS[norm_first], memory_of(lengths)
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 99), label="seed"))
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        if not packs:
            patch.setattr(decoder, "packed", lambda module: module)
        patch.setattr(packed_linear, "FEW_ROWS", 0)
        cache = stack.start_cache(memory, padding)
        owners, histories = list(range(len(lengths))), torch.zeros(len(lengths), 0, 16)
        num_steps = data.draw(st.integers(1, 6), label="steps")
        for step in range(num_steps):
            size = (len(owners), data.draw(st.sampled_from([1, 1, 2]), label="new"), 16)
            new = torch.randn(size, generator=generator)
            histories = torch.cat([histories, new], dim=1)
            found = stack.step(new, cache, need_weights=True)
            for row, owner in enumerate(owners[: None if step + 1 == num_steps else 1]):
                states, weights = alone(stack, histories[row], memory[owner], lengths[owner])
                torch.testing.assert_close(found.states[row, -1], states, **CLOSE)
                torch.testing.assert_close(found.weights[-1][row, :, -1, : lengths[owner]], weights, **CLOSE)
                assert not found.weights[-1][row, :, -1, lengths[owner] :].any()
            rows = data.draw(st.lists(st.integers(0, len(owners) - 1), min_size=1, max_size=8), label="rows")
            cache.reorder(torch.tensor(rows))
            owners, histories = [owners[row] for row in rows], histories[rows]
        assert cache.length == histories.shape[1]


def test_rows_of_an_utterance_share_its_memory():
    memory, padding = memory_of([6, 3])
    with torch.no_grad():
        cache = STACKS[True].start_cache(memory, padding)
        places = [part.data_ptr() for pair in cache.memories for part in pair]
        for rows in ([0, 0, 0, 1], [3, 1, 2, 0, 0], [4, 0]):
            cache.reorder(torch.tensor(rows))
            STACKS[True].step(torch.randn(len(rows), 1, 16), cache)
    assert [part.data_ptr() for pair in cache.memories for part in pair] == places


def test_rows_in_their_own_order_change_nothing():
    memory, padding = memory_of([6, 3])
    cache = STACKS[True].start_cache(memory, padding)
    cache.reorder(torch.tensor([0, 0, 1]))
    groups = cache.groups
    cache.reorder(torch.tensor([0, 1, 2]))
    assert cache.groups is groups
    cache.reorder(torch.tensor([0, 1]))
    assert cache.groups is not groups


def test_utterances_leave_when_half_are_gone():
    memory, padding = memory_of([6, 3, 5, 2])
    cache = STACKS[True].start_cache(memory, padding)
    sizes = []
    for rows in ([0, 1, 2, 2], [1, 2, 3], [1, 2], [1]):
        cache.reorder(torch.tensor(rows))
        sizes.append((len(cache.memories[0].keys), len(cache.memory_mask), cache.groups.num_utterances))
    assert sizes == [(4, 4, 4), (2, 2, 2), (1, 1, 1), (1, 1, 1)]


def test_a_memory_without_padding_needs_no_mask():
    memory, padding = memory_of([4, 4])
    assert STACKS[True].start_cache(memory, padding).memory_mask is None
    assert STACKS[True].start_cache(memory, None).memory_mask is None


def test_a_memory_of_padding_only_gives_finite_states():
    memory, _ = memory_of([4, 4])
    padding = torch.tensor([[False] * 4, [True] * 4])
    cache = STACKS[True].start_cache(memory, padding)
    decoded = STACKS[True].step(torch.randn(2, 1, 16), cache, need_weights=True)
    assert decoded.states.isfinite().all()
    assert all(weights.isfinite().all() for weights in decoded.weights)


def test_steps_give_no_gradients():
    memory, padding = memory_of([4, 4])
    memory.requires_grad_(True)
    cache = STACKS[True].start_cache(memory, padding)
    assert not STACKS[True].step(torch.randn(2, 1, 16, requires_grad=True), cache).states.requires_grad
