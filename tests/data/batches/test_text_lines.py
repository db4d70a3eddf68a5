import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import tiny
from sprachbund.data.batches.text_lines import TextLinesBatch, TextLinesCollator
from sprachbund.data.streams import TextLine

LINES = st.lists(st.lists(st.integers(4, 9), max_size=8), min_size=1, max_size=5)


@given(lines=LINES)
def test_each_token_stands_behind_those_before_it(lines: list[list[int]]) -> None:
    items = [TextLine(f"line-{place}", np.array(line, dtype=np.int32)) for place, line in enumerate(lines)]
    batch = TextLinesCollator()(items, 0)
    assert isinstance(batch, TextLinesBatch)
    assert batch.ids == tuple(item.id for item in items)
    for row, line in enumerate(lines):
        length = int(batch.target_lengths[row])
        assert batch.targets[row, :length].tolist() == [*line, 2]
        assert batch.tokens[row, :length].tolist() == [2, *line]
        assert (batch.targets[row, length:] == 1).all() and (batch.tokens[row, length:] == 1).all()
    assert tiny.differences(batch, TextLinesCollator()(items, 7)) == []
