import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from line_work import write_units
from sprachbund.data.text.memory import ChainedLines, IdLines, MemoryLines
from sprachbund.data.text.store import LineStore

LINES = st.lists(st.lists(st.integers(0, 5), max_size=5), max_size=8)


def contents(lines: IdLines, name: str = "units") -> list[list[int]]:
    return [lines.tokens(name, number).tolist() for number in range(len(lines))]


@given(parts=st.lists(LINES, min_size=1, max_size=4), data=st.data())
def test_chained_lines_are_those_of_their_parts(parts: list[list[list[int]]], data: st.DataObject) -> None:
    lines = [line for part in parts for line in part]
    chained = ChainedLines([MemoryLines(({"units": line} for line in part), ["units"]) for part in parts])
    assert contents(chained) == lines
    assert len(chained) == len(lines)
    assert chained.lengths("units").tolist() == [len(line) for line in lines]
    assert chained.num_items("units") == sum(map(len, lines))
    chosen = data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=9)) if lines else []
    numbers = np.array(chosen, dtype=np.int64)
    assert chained.lengths("units", numbers).tolist() == [len(lines[number]) for number in chosen]


def test_stores_and_memory_are_read_alike(tmp_path_factory: pytest.TempPathFactory) -> None:
    lines = [[3, 1], [], [5]]
    store = LineStore(write_units(tmp_path_factory.mktemp("stores") / "a", [(line, "x") for line in lines]))
    memory = MemoryLines(({"units": line, "more": [9]} for line in lines), ["units", "more"])
    for each in (store, memory):
        assert isinstance(each, IdLines)
        assert contents(each) == lines
        assert each.lengths("units", np.array([2, 0])).tolist() == [1, 2]
        assert each.num_items("units") == 3
    assert contents(memory, "more") == [[9]] * 3
    assert contents(ChainedLines([store, memory])) == lines * 2
