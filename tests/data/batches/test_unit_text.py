import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

import tiny
from sprachbund.data.batches.masking import SpanMasking
from sprachbund.data.batches.unit_text import UnitLinesBatch, UnitLinesCollator, UnitTextBatch, UnitTextCollator
from sprachbund.data.unit_streams import UnitLine, UnitText
from sprachbund.shapes import Array, Int

IDS = st.lists(st.integers(4, 9), min_size=1, max_size=8).map(lambda ids: np.array(ids, dtype=np.int64))
PAIRS = st.lists(st.tuples(IDS, IDS), min_size=1, max_size=5)


@given(pairs=PAIRS, has_end=st.booleans())
def test_rows_hold_units_and_targets_with_their_marks(
    pairs: list[tuple[Int[Array, " _"], Int[Array, " _"]]], has_end: bool
) -> None:
    items = [UnitText(str(number), units, tokens) for number, (units, tokens) in enumerate(pairs)]
    batch = UnitTextCollator(has_unit_end=has_end)(items, 0)
    assert batch.ids == tuple(str(number) for number in range(len(pairs)))
    for row, (units, tokens) in enumerate(pairs):
        end = [2] if has_end else []
        num_units, num_targets = int(batch.unit_lengths[row]), int(batch.target_lengths[row])
        assert batch.units[row, :num_units].tolist() == [*units, *end]
        assert batch.targets[row, :num_targets].tolist() == [*tokens, 2]
        assert batch.decoder_input[row, :num_targets].tolist() == [2, *tokens]
        for tensor, length in ((batch.units, num_units), (batch.targets, num_targets)):
            assert (tensor[row, length:] == 1).all()
        assert (batch.decoder_input[row, num_targets:] == 1).all()
    lines = UnitLinesCollator(has_unit_end=has_end)([UnitLine(item.id, item.units) for item in items], 0)
    assert torch.equal(lines.units, batch.units)
    assert torch.equal(lines.unit_lengths, batch.unit_lengths)
    assert lines.ids == batch.ids


def test_a_row_is_the_same_alone_and_whatever_the_draw() -> None:
    items = [UnitText(str(size), np.full(size, 7), np.full(3, 5)) for size in (2, 6)]
    collate = UnitTextCollator()
    together, alone = collate(items, 0), collate(items[:1], 9)
    assert isinstance(together, UnitTextBatch)
    assert together.units[0, :3].tolist() == alone.units[0].tolist() == [7, 7, 2]
    assert tiny.differences(together, collate(items, 5)) == []
    assert isinstance(UnitLinesCollator()([UnitLine("a", np.array([4]))], 0), UnitLinesBatch)
    assert together.to("cpu").units.dtype == torch.int64


def test_masked_units_are_drawn_for_each_row_alone() -> None:
    items = [UnitText(str(size), np.full(size, 7), np.full(3, 5)) for size in (9, 30, 21)]
    masking = SpanMasking(length=4, equal_counts=False)
    collate = UnitTextCollator(masking=masking, seed=5)
    batch = collate(items, 2)
    assert batch.unit_mask is not None and batch.unit_mask.shape == batch.units.shape
    lines = UnitLinesCollator(masking=masking, seed=5)([UnitLine(item.id, item.units) for item in items], 2)
    assert lines.unit_mask is not None and torch.equal(lines.unit_mask, batch.unit_mask)
    for row, length in enumerate(batch.unit_lengths.tolist()):
        alone = collate(items[row : row + 1], 2).unit_mask
        assert alone is not None and torch.equal(alone[0], batch.unit_mask[row, :length])
        assert alone.any() and not batch.unit_mask[row, length:].any()
    other = collate(items, 3).unit_mask
    assert other is not None and not torch.equal(other, batch.unit_mask)
    assert UnitTextCollator()(items, 2).unit_mask is None
