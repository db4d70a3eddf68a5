import hashlib
import itertools
import time
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse import CutSet, MonoCut

from sprachbund.data.streams import Cursor, CutStream, LineStream, Plan, Stream, TextStream, cut_into_batches, endless
from sprachbund.errors import DataError
from sprachbund.shapes import Array, Int

MODEST = settings(deadline=None, max_examples=60)
DURATIONS = st.lists(st.floats(0.025, 40.0).map(lambda value: round(value, 3)), min_size=1, max_size=60)
LINES = st.lists(st.lists(st.integers(4, 9), min_size=1, max_size=30), min_size=1, max_size=60)


def cuts(durations: list[float]) -> CutSet:
    return CutSet.from_cuts(MonoCut(f"cut-{number}", 0.0, seconds, 0) for number, seconds in enumerate(durations))


def ids(plans: Iterable[Plan]) -> list[tuple[str, ...]]:
    return [tuple(item.id for item in plan) for plan in plans]


def forty_cuts(**choices: object) -> CutStream:
    stream = CutStream(cuts([1 + number % 7 for number in range(40)]), batch_seconds=12.0, num_buckets=3)
    return replace(stream, **choices)  # type: ignore[arg-type]


def forty_lines(seed: int = 0) -> TextStream:
    return TextStream([[4] * (1 + number % 7) for number in range(40)], 20, seed=seed)


@given(
    durations=DURATIONS,
    limit=st.floats(0.5, 60.0),
    buckets=st.integers(1, 12),
    seed=st.integers(-5, 2**40),
    epoch=st.integers(0, 30),
    shuffle=st.booleans(),
)
@MODEST
def test_a_pass_holds_every_cut_once_and_no_batch_is_too_long(
    durations: list[float], limit: float, buckets: int, seed: int, epoch: int, shuffle: bool
) -> None:
    stream = CutStream(cuts(durations), limit, seed, buckets, shuffle)
    plans = list(stream.plans(epoch))
    assert sorted(cut.id for plan in plans for cut in plan) == sorted(cut.id for cut in stream.cuts)
    for plan in plans:
        assert len(plan) == 1 or len(plan) * max(cut.duration for cut in plan) <= limit
    assert ids(stream.plans(epoch)) == ids(iter(plans))


@given(
    lines=LINES, limit=st.integers(1, 200), seed=st.integers(-5, 2**40), epoch=st.integers(0, 9), ordered=st.booleans()
)
@MODEST
def test_a_pass_holds_every_line_once_and_no_batch_has_too_many_tokens(
    lines: list[list[int]], limit: int, seed: int, epoch: int, ordered: bool
) -> None:
    stream = TextStream(lines, limit, seed=seed, shuffle=not ordered)
    plans = list(stream.plans(epoch))
    drawn = {line.id: line.tokens.tolist() for plan in plans for line in plan}
    assert sum(map(len, plans)) == len(drawn) == len(stream) == len(lines)
    assert [drawn[f"line-{number:09d}"] for number in range(len(lines))] == lines
    for plan in plans:
        assert len(plan) == 1 or len(plan) * (2 + max(len(line.tokens) for line in plan)) <= limit
    assert ids(stream.plans(epoch)) == ids(iter(plans))


@pytest.mark.parametrize("make", [lambda seed: forty_cuts(seed=seed), forty_lines], ids=["cuts", "lines"])
def test_seed_and_epoch_decide_the_order(make: object) -> None:
    assert callable(make)
    passes = [ids(make(seed).plans(epoch)) for seed, epoch in itertools.product((0, 1, 2), (0, 1, 2))]
    assert all(one != other for one, other in itertools.combinations(passes, 2))
    # It is not the order of the same batches alone that changes.
    assert {frozenset(plan) for plan in passes[0]} != {frozenset(plan) for plan in passes[1]}
    assert ids(make(2).plans(1)) == passes[7]


def test_other_draws_do_not_change_the_order() -> None:
    expected = ids(forty_cuts().plans(3)), ids(forty_lines().plans(3))
    np.random.seed(5)
    passes = zip(forty_cuts().plans(3), forty_lines().plans(3), strict=False)
    mixed = [(cut.id, line.id) for (cut, *_), (line, *_) in passes if np.random.random() >= 0]
    assert mixed == [(cut[0], line[0]) for cut, line in zip(*expected, strict=False)]


def test_without_shuffling_the_order_is_that_of_the_data() -> None:
    plain = ids(forty_cuts(shuffle=False).plans(0))
    assert [name for plan in plain for name in plan] == [f"cut-{number}" for number in range(40)]
    assert ids(forty_cuts(shuffle=False, seed=9).plans(4)) == plain
    lines = ids(TextStream([[4] * 3] * 9, 20, shuffle=False).plans(2))
    assert lines == [tuple(f"line-{number:09d}" for number in range(start, min(start + 4, 9))) for start in (0, 4, 8)]


def test_batches_are_as_large_as_the_limit_allows() -> None:
    equal = CutStream(cuts([2.0] * 20), batch_seconds=8.0, num_buckets=1)
    assert sorted(map(len, equal.plans(0))) == [4] * 5
    assert sorted(map(len, TextStream([[4] * 3] * 20, 20).plans(0))) == [4] * 5


def test_short_and_long_items_do_not_share_a_batch() -> None:
    mixed = CutStream(cuts([1.0, 9.0] * 30), batch_seconds=18.0, num_buckets=10)
    for plan in mixed.plans(1):
        assert len({cut.duration for cut in plan}) == 1
    # Two lengths in a pool: at most the batch at their border mixes.
    lines = TextStream([[4], [4] * 18] * 30, 60, seed=1)
    assert sum(len({len(line.tokens) for line in plan}) > 1 for plan in lines.plans(0)) <= 1


def test_clips_that_are_cropped_count_as_their_crops() -> None:
    stream = CutStream(cuts([60.0] * 8), batch_seconds=20.0, crop_seconds=5.0)
    assert [len(plan) for plan in stream.plans(0)] == [4, 4]
    assert [len(plan) for plan in replace(stream, crop_seconds=float("inf")).plans(0)] == [1] * 8


@given(sizes=st.lists(st.integers(1, 20), max_size=30), limit=st.integers(1, 60))
@MODEST
def test_cutting_keeps_the_order_and_closes_no_batch_early(sizes: list[int], limit: int) -> None:
    batches = cut_into_batches(np.arange(len(sizes)), np.array(sizes, dtype=np.int64), limit)
    assert [int(number) for batch in batches for number in batch] == list(range(len(sizes)))
    for batch, following in itertools.pairwise(batches):
        longer = [*batch, following[0]]
        assert len(longer) * max(sizes[number] for number in longer) > limit


@given(skipped=st.integers(0, 40), taken=st.integers(1, 30))
@MODEST
def test_an_endless_stream_goes_on_from_any_cursor(skipped: int, taken: int) -> None:
    stream = forty_lines(seed=2)
    whole = list(itertools.islice(endless(stream, Cursor()), skipped + taken))
    start = whole[skipped - 1][1] if skipped else Cursor()
    resumed = list(itertools.islice(endless(stream, start), taken))
    assert ids(plan for plan, _ in resumed) == ids(plan for plan, _ in whole[skipped:])
    assert [cursor for _, cursor in resumed] == [cursor for _, cursor in whole[skipped:]]


def test_the_end_of_a_pass_is_the_beginning_of_the_next() -> None:
    stream = forty_cuts(seed=3)
    end = Cursor(0, len(list(stream.plans(0))))
    for start in (end, Cursor(1, 0)):
        plan, cursor = next(endless(stream, start))
        assert cursor == Cursor(1, 1)
        assert ids(iter([plan])) == ids(stream.plans(1))[:1]


@pytest.mark.parametrize("stream", [forty_cuts(), forty_lines()], ids=["cuts", "lines"])
def test_cursors_count_the_batches_of_a_pass(stream: Stream) -> None:
    sizes = [len(list(stream.plans(epoch))) for epoch in range(2)]
    cursors = [cursor for _, cursor in itertools.islice(endless(stream, Cursor()), sum(sizes) + 1)]
    expected = [Cursor(epoch, number) for epoch, size in enumerate(sizes) for number in range(1, size + 1)]
    assert cursors == [*expected, Cursor(2, 1)]


@given(durations=DURATIONS, epoch=st.integers(0, 3))
@MODEST
def test_any_place_of_a_pass_is_reached_without_those_before_it(durations: list[float], epoch: int) -> None:
    plans = CutStream(cuts(durations), 60.0, 1).plans(epoch)
    whole = ids(plans)
    assert len(plans) == len(whole)
    assert [tuple(cut.id for cut in plans[place]) for place in reversed(range(len(plans)))] == whole[::-1]


def test_a_place_deep_in_a_large_corpus_is_found_at_once() -> None:
    """A tenth of a second at 120,000 clips on the machine of first writing; the limit allows for a busy one."""
    seconds = np.random.default_rng(0).uniform(1, 16, 120_000).round(3)
    stream = CutStream(cuts(seconds.tolist()), batch_seconds=87.5, seed=1)
    began = time.process_time()
    last = len(stream.plans(3)) - 10
    plan, cursor = next(endless(stream, Cursor(3, last)))
    assert time.process_time() - began < 2
    assert cursor == Cursor(3, last + 1)
    assert ids([plan]) == ids([stream.plans(3)[last]])


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_stream_of_nothing_is_refused(shuffle: bool) -> None:
    for stream in (TextStream([], 100, shuffle=shuffle), CutStream(CutSet.from_cuts([]), 10.0, shuffle=shuffle)):
        assert list(stream.plans(0)) == []
        with pytest.raises(DataError, match="nothing to train on"):
            next(endless(stream, Cursor()))


def in_parts(monkeypatch: pytest.MonkeyPatch, lines: list[list[int]], shuffle: bool = True) -> TextStream:
    """A stream over more lines than are planned at once, in parts of about two batches."""
    monkeypatch.setattr(LineStream, "AT_ONCE", 3)
    monkeypatch.setattr(LineStream, "POOL_BATCHES", 2)
    return TextStream(lines, 30, seed=4, shuffle=shuffle)


@given(
    lines=st.lists(st.lists(st.integers(4, 9), min_size=1, max_size=30), min_size=4, max_size=60), ordered=st.booleans()
)
@MODEST
def test_the_parts_of_a_long_pass_hold_every_line_once(lines: list[list[int]], ordered: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        stream = in_parts(patch, lines, shuffle=not ordered)
        plans, passes = iter(endless(stream, Cursor())), []
        for _ in range(2):
            seen: list[str] = []
            while len(seen) < len(lines):
                plan = next(plans)[0]
                assert len(plan) == 1 or len(plan) * (2 + max(len(line.tokens) for line in plan)) <= 30
                seen += [line.id for line in plan]
            passes.append(seen)
        numbers = [f"line-{number:09d}" for number in range(len(lines))]
        assert sorted(passes[0]) == sorted(passes[1]) == numbers
        if ordered:
            assert passes == [numbers, numbers]


@given(skipped=st.integers(0, 60), taken=st.integers(1, 30))
@MODEST
def test_a_long_pass_is_gone_on_with_from_any_cursor(skipped: int, taken: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        stream = in_parts(patch, [[4] * (1 + number % 7) for number in range(40)])
        whole = list(itertools.islice(endless(stream, Cursor()), skipped + taken))
        start = whole[skipped - 1][1] if skipped else Cursor()
        resumed = list(itertools.islice(endless(stream, start), taken))
    assert [cursor for _, cursor in resumed] == [cursor for _, cursor in whole[skipped:]]
    assert ids(plan for plan, _ in resumed) == ids(plan for plan, _ in whole[skipped:])


def test_passes_in_parts_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = in_parts(monkeypatch, [[4] * (1 + number % 7) for number in range(40)])
    plans = iter(ids(plan for plan, _ in itertools.islice(endless(stream, Cursor()), 80)))
    passes: list[list[tuple[str, ...]]] = [[], []]
    for made in passes:
        while sum(map(len, made)) < 40:
            made.append(next(plans))
    first, second = ([name for plan in made for name in plan] for made in passes)
    assert sorted(first) == sorted(second)
    assert sum(one == other for one, other in zip(first, second, strict=True)) < 12
    # It is not the order of the same batches alone that changes.
    shared = {frozenset(plan) for plan in passes[0]} & {frozenset(plan) for plan in passes[1]}
    assert len(shared) < len(passes[0]) / 2


class ManyLines:
    """Ten million lines that take no room."""

    def __len__(self) -> int:
        return 10_000_000

    def lengths(self, name: str, numbers: Int[Array, " number"] | None = None) -> Int[Array, " number"]:
        assert numbers is not None, "the lengths of all lines are asked for"
        return numbers * 2_654_435_761 % 97 + 3

    def num_items(self, name: str) -> int:
        return 51 * len(self)

    def tokens(self, name: str, number: int) -> Int[Array, " token"]:
        return np.full(number * 2_654_435_761 % 97 + 3, 5)


def test_a_place_among_millions_of_lines_is_found_at_once() -> None:
    """A hundredth of a second on the machine of first writing; the limit allows for a busy one."""
    stream = TextStream(ManyLines(), 14_000, seed=1)
    next(endless(stream, Cursor()))
    began = time.process_time()
    plan, cursor = next(endless(stream, Cursor(1700, 30)))
    assert time.process_time() - began < 1
    assert cursor == Cursor(1700, 31)
    assert len(plan) * max(len(line.tokens) + 2 for line in plan) <= 14_000


def test_the_order_of_lines_is_that_of_earlier_versions() -> None:
    lengths = np.random.default_rng(1).integers(1, 40, 5000).tolist()
    digests = []
    for seed, epoch in ((0, 0), (5, 3)):
        plans = ids(TextStream([[4] * length for length in lengths], 300, seed=seed).plans(epoch))
        digests.append(hashlib.sha256(repr(plans).encode()).hexdigest()[:16])
    assert digests == ["2a625a4de4382724", "40053bd012d9ba6d"]
