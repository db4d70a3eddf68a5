import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from line_work import write_units
from sprachbund.data.streams import Cursor, LineStream, Stream, endless
from sprachbund.data.text.memory import MemoryLines
from sprachbund.data.text.store import LineStore
from sprachbund.data.unit_streams import PairedStream, UnitLine, UnitStream, UnitText
from sprachbund.errors import DataError, RecipeError

MODEST = settings(deadline=None, max_examples=50)


def memory(lengths: Sequence[int], first: int = 4) -> MemoryLines:
    """Line n is n units of `first` + n, and n + 1 tokens."""
    lines = [{"units": [first + n] * length, "tokens": [n] * (n + 1)} for n, length in enumerate(lengths)]
    return MemoryLines(lines, ["units", "tokens"])


def drawn(stream: Stream, epoch: int = 0) -> list[Any]:
    return [item for plan in stream.plans(epoch) for item in plan]


@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=40), limit=st.integers(2, 90), shuffle=st.booleans())
@MODEST
def test_every_pair_stands_in_one_batch_and_batches_keep_to_the_limit(
    lengths: list[int], limit: int, shuffle: bool
) -> None:
    stream = PairedStream(memory(lengths), limit, seed=1, shuffle=shuffle)
    plans = list(stream.plans(2))
    for plan in plans:
        assert len(plan) == 1 or len(plan) * (1 + max(len(pair.units) for pair in plan)) <= limit
    pairs = {pair.id: pair for plan in plans for pair in plan}
    assert len(pairs) == sum(map(len, plans)) == len(stream) == len(lengths)
    for number, length in enumerate(lengths):
        pair = pairs[f"pair-{number:09d}"]
        assert isinstance(pair, UnitText)
        assert pair.units.tolist() == [4 + number] * length
        assert pair.tokens.tolist() == [number] * (number + 1)
    if not shuffle:
        assert list(pairs) == sorted(pairs)


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=3), data=st.data())
@MODEST
def test_shares_decide_how_many_lines_of_each_source_a_pass_has(sizes: list[int], data: st.DataObject) -> None:
    shares = data.draw(st.lists(st.floats(0.05, 5.0), min_size=len(sizes), max_size=len(sizes)))
    sources = [memory([1] * size, first=1000 * number) for number, size in enumerate(sizes)]
    stream = UnitStream(sources, 10, shares=shares, seed=3)
    seen: list[Counter[int]] = [Counter() for _ in sources]
    for epoch in range(3):
        units = [int(line.units[0]) for line in drawn(stream, epoch)]
        assert len(units) == len(stream)
        counts = Counter(unit // 1000 for unit in units)
        assert [counts[number] for number in range(len(sizes))] == stream.counts
        for unit in units:
            seen[unit // 1000][unit] += 1
    for size, count, times in zip(sizes, stream.counts, seen, strict=True):
        # All have had their turn before one comes again.
        assert len(times) == min(size, 3 * count)
        assert max(times.values()) - min(times.values()) <= 1
    # No source gives more than its share of the others, up to one line.
    scale = min(size / share for size, share in zip(sizes, shares, strict=True))
    assert all(abs(count - scale * share) <= 1 for count, share in zip(stream.counts, shares, strict=True))


def test_without_shares_a_pass_has_all_lines_of_all_sources() -> None:
    sources = [memory([2, 3, 4]), memory([1, 5], first=100)]
    stream = UnitStream(sources, 20, seed=1)
    lines = drawn(stream)
    assert all(isinstance(line, UnitLine) for line in lines)
    assert sorted(int(line.units[0]) for line in lines) == [4, 5, 6, 100, 101]
    assert [line.id for line in drawn(stream)] != [line.id for line in drawn(stream, 1)]
    ordered = UnitStream(sources, 20, shuffle=False)
    assert [int(line.units[0]) for line in drawn(ordered)] == [4, 5, 6, 100, 101]


def test_shares_that_do_not_fit_are_refused() -> None:
    for shares in ([1.0], [1.0, 0.0], [1.0, -1.0], [1.0, 1.0, 1.0], []):
        with pytest.raises(RecipeError, match="shares of a mixture do not go with its sources"):
            UnitStream([memory([1]), memory([1])], 10, shares=shares)
    with pytest.raises(DataError, match=r"no line left \(given: source 2 of 2\)"):
        UnitStream([memory([1]), memory([])], 10, shares=[1, 1])


def streams(folder: Path) -> dict[str, LineStream]:
    store = LineStore(write_units(folder / "store", [([number % 6] * (1 + number % 9), "x") for number in range(60)]))
    lengths = [1 + number % 7 for number in range(40)]
    return {
        "pairs": PairedStream(memory(lengths), 20, seed=2),
        "units": UnitStream([memory(lengths), store], 20, seed=2),
        "mixture": UnitStream([memory(lengths), store], 20, shares=[3, 1], seed=2),
    }


@pytest.mark.parametrize("kind", ["pairs", "units", "mixture"])
@pytest.mark.parametrize("at_once", [True, False])
def test_resumed_equals_uninterrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, at_once: bool
) -> None:
    if not at_once:
        monkeypatch.setattr(LineStream, "AT_ONCE", 5)
        monkeypatch.setattr(LineStream, "POOL_BATCHES", 2)
    whole = list(itertools.islice(endless(streams(tmp_path / "a")[kind], Cursor()), 70))
    assert whole[-1][1].epoch > 0
    for skipped in (1, 13, 40, 69):
        # Another process: the stream is made anew.
        again = endless(streams(tmp_path / f"b{skipped}")[kind], whole[skipped - 1][1])
        for (plan, cursor), (expected, place) in zip(
            itertools.islice(again, 70 - skipped), whole[skipped:], strict=True
        ):
            assert cursor == place
            assert [item.id for item in plan] == [item.id for item in expected]
            assert [item.units.tolist() for item in plan] == [item.units.tolist() for item in expected]


def test_a_long_mixture_keeps_its_shares_over_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LineStream, "AT_ONCE", 5)
    stream = UnitStream([memory([1] * 300), memory([2] * 200, first=1000)], 20, shares=[1, 3], seed=5)
    monkeypatch.setattr(LineStream, "POOL_BATCHES", 3)
    assert stream.counts == [67, 200]
    lines = itertools.chain.from_iterable(plan for plan, _ in endless(stream, Cursor()))
    for _ in range(2):
        counts = Counter(int(line.units[0]) >= 1000 for line in itertools.islice(lines, len(stream)))
        assert counts == {False: 67, True: 200}
