"""Batches of phones with units, and of tokens with tokens: every row is its example, whatever stands beside it."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.data.batches.paired import SequenceCollator, TextToUnitCollator, TokenPair
from sprachbund.data.paired_units import PairedExample
from sprachbund.tokens.phones import PHONES, phone_vocabulary

VOCABULARY = phone_vocabulary(places=False)
IDS = st.lists(st.integers(4, 40), min_size=1, max_size=9).map(tuple)


PHONES_AND_UNITS = st.lists(
    st.tuples(st.sampled_from(PHONES), st.lists(st.integers(0, 9), max_size=4)), min_size=1, max_size=6
)


def example_of(phones: list[tuple[str, list[int]]]) -> PairedExample:
    units = [unit for _, found in phones for unit in found]
    durations = [len(found) for _, found in phones]
    return PairedExample("clip", tuple(phone for phone, _ in phones), np.array(durations), np.array(units, np.int64))


@given(st.lists(PHONES_AND_UNITS, min_size=1, max_size=4))
def test_rows_of_phones_and_units(clips: list[list[tuple[str, list[int]]]]) -> None:
    rows = [example_of(phones) for phones in clips]
    batch = TextToUnitCollator(VOCABULARY)(rows, 7)
    for row, example in enumerate(rows):
        num_phones, num_units = len(example.phones), len(example.units)
        assert batch.token_lengths[row] == num_phones
        assert batch.unit_lengths[row] == num_units == batch.durations[row].sum()
        assert [VOCABULARY.symbol_of(token) for token in batch.tokens[row, :num_phones].tolist()] == [*example.phones]
        assert batch.durations[row, :num_phones].tolist() == example.durations.tolist()
        assert (batch.units[row, :num_units] - 4).tolist() == example.units.tolist()
        assert batch.tokens[row, num_phones:].eq(1).all() and batch.units[row, num_units:].eq(1).all()
        assert batch.durations[row, num_phones:].eq(0).all()


@given(st.lists(st.tuples(IDS, IDS), min_size=1, max_size=4))
def test_rows_of_tokens_and_tokens(rows: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
    pairs = [TokenPair(str(number), *row) for number, row in enumerate(rows)]
    batch = SequenceCollator()(pairs, 7)
    assert batch.ids == tuple(pair.id for pair in pairs)
    for row, (source, target) in enumerate(rows):
        assert batch.tokens[row, : batch.token_lengths[row]].tolist() == [*source]
        length = int(batch.target_lengths[row])
        assert batch.targets[row, :length].tolist() == [*target, 2]
        # The decoder is fed the end mark and the targets but the last.
        assert batch.decoder_input[row, :length].tolist() == [2, *target]
        assert batch.targets[row, length:].eq(1).all() and batch.tokens[row, len(source) :].eq(1).all()
    assert batch.targets.dtype == batch.tokens.dtype == torch.int64
