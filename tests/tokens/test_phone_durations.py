import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.errors import DataError
from sprachbund.tokens.phone_durations import MOST_LABELS, Duration, PhoneDurations
from sprachbund.tokens.phones import PHONES, phone_symbols, with_places

PUBLISHED = PhoneDurations()
lines = st.lists(st.sampled_from(phone_symbols(places=False)), max_size=40)
positive = st.floats(0.01, 99, allow_nan=False)


def drawn(phones: list[str], seed: int = 0, durations: PhoneDurations = PUBLISHED) -> list[str] | None:
    return durations.repeated(phones, np.random.default_rng(seed))


def alternating(count: int) -> list[str]:
    return [("AH", "B")[number % 2] for number in range(count)]


@given(lines, st.integers(0, 9))
def test_every_phone_is_there_at_least_once_and_in_order(phones: list[str], seed: int) -> None:
    labels = drawn(phones, seed)
    assert labels is not None
    runs = [(phone, len(list(run))) for phone, run in itertools.groupby(phones)]
    got = [(phone, len(list(run))) for phone, run in itertools.groupby(labels)]
    assert [phone for phone, _ in got] == [phone for phone, _ in runs]
    assert all(labelled >= given for (_, labelled), (_, given) in zip(got, runs, strict=True))
    assert labels == drawn(phones, seed)


def test_lengths_have_the_published_mean_and_spread() -> None:
    labels = drawn(alternating(800))
    assert labels is not None
    counts = np.array([len(list(run)) for _, run in itertools.groupby(labels)])
    assert len(counts) == 800
    # What falls below 1 becomes 1, which lifts the mean a little.
    assert counts.mean() == pytest.approx(5.05, abs=0.2)
    assert counts.std() == pytest.approx(2.45, abs=0.2)
    assert counts.min() == 1


@pytest.mark.parametrize(("phone", "mean"), [("SIL", 14), ("SPN", 32), ("AH", 5), ("AH_B", 5), ("ʃ", 5)])
def test_each_phone_has_its_own_mean(phone: str, mean: float) -> None:
    labels = drawn([phone] * 100)
    assert labels is not None
    assert len(labels) / 100 == pytest.approx(mean, abs=0.8)


def test_word_places_change_nothing_but_the_symbols() -> None:
    phones = ["HH", "AH", "L", "OW"]
    durations = PhoneDurations(named=(("HH", Duration(20, 3)), ("AH", Duration(40, 3))))
    plain, placed = (drawn(each, durations=durations) for each in (phones, list(with_places(phones))))
    assert plain is not None
    assert placed is not None
    assert [phone.partition("_")[0] for phone in placed] == plain


@pytest.mark.parametrize("count", [850, 900, 1200, 2000])
def test_long_lines_are_shrunk_below_the_limit_and_no_further_than_needed(count: int) -> None:
    labels = drawn(alternating(count))
    assert labels is not None
    assert len(labels) < MOST_LABELS
    # A step of a tenth takes half a label from each phone at most.
    assert len(labels) >= min(MOST_LABELS, 4.8 * count) - count // 2
    assert [phone for phone, _ in itertools.groupby(labels)] == alternating(count)


@pytest.mark.parametrize(
    ("mean", "count", "labels"),
    [
        (5, 874, 4370),
        (5, 875, 875 * 4),  # 4.5, rounded
        (50, 1000, 1000),  # even 5 each would be too many
        (1, MOST_LABELS - 1, MOST_LABELS - 1),
    ],
)
def test_the_limit_is_where_it_is(mean: float, count: int, labels: int) -> None:
    drawn_out = drawn(alternating(count), durations=PhoneDurations(default=Duration(mean, 0)))
    assert drawn_out is not None
    assert len(drawn_out) == labels


def test_what_cannot_be_shrunk_is_told() -> None:
    assert drawn(alternating(MOST_LABELS)) is None


pairs = st.tuples(positive, positive)


@settings(deadline=None, max_examples=40)
@given(positive, pairs, st.dictionaries(st.sampled_from(PHONES), pairs, max_size=4))
def test_saved_durations_are_loaded_as_they_were(
    tmp_path_factory: pytest.TempPathFactory,
    shift: float,
    default: tuple[float, float],
    named: dict[str, tuple[float, float]],
) -> None:
    path = tmp_path_factory.mktemp("durations") / "durations.json"
    durations = PhoneDurations(
        frame_shift=shift,
        default=Duration(*default),
        named=tuple((phone, Duration(*pair)) for phone, pair in sorted(named.items())),
    )
    durations.save(path)
    assert PhoneDurations.load(path) == durations


@pytest.mark.parametrize(
    "change",
    [
        {"frame_shift": 0},
        {"frame_shift": "0.01"},
        {"default": [5]},
        {"default": [0, 1]},
        {"default": [5, -1]},
        {"default": [True, 1]},
        {"phones": [1]},
        {"phones": {"AH": [1, 2, 3]}},
        {"phones": {"AH": [float("nan"), 1]}},
        None,
    ],
    ids=str,
)
def test_files_of_something_else_are_refused(tmp_path: Path, change: dict[str, object] | None) -> None:
    path = tmp_path / "durations.json"
    content = [] if change is None else PUBLISHED.to_mapping() | change
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="tokens durations"):
        PhoneDurations.load(path)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"\xff")
    (tmp_path / "deep").write_text("[" * 100_000)
    for name in ("nowhere", "text", "deep"):
        with pytest.raises(DataError, match="cannot be used"):
            PhoneDurations.load(tmp_path / name)


def test_measured_durations_are_those_of_the_phones() -> None:
    heard = {"AH": [0.05, 0.07], "B": [0.1, 0.1, 0.1], "ZH": [0.2], "SIL": [0.3, 0.5]}
    found = PhoneDurations.measured(heard, 0.01)
    named = dict(found.named)
    assert named["AH"] == Duration(6, 1)
    assert named["B"] == Duration(10, 0)
    assert named["SIL"] == Duration(40, 10)
    assert named["SPN"] == Duration(32, 2.5)
    assert "ZH" not in named
    assert found.default.mean == pytest.approx(100 * (0.12 + 0.3 + 0.2) / 6, abs=1e-3)


def test_other_labels_are_counted_in_their_own_time() -> None:
    found = PhoneDurations.measured({"AH": [0.04, 0.08]}, 0.02)
    assert found.frame_shift == 0.02
    assert dict(found.named) == {"AH": Duration(3, 1), "SIL": Duration(7, 1.25), "SPN": Duration(16, 1.25)}


@pytest.mark.parametrize("heard", [{}, {"SIL": [0.1, 0.2]}, {"AH": [0.1]}], ids=["nothing", "silence", "one"])
def test_nothing_heard_is_told(heard: dict[str, list[float]]) -> None:
    with pytest.raises(DataError, match="too few phones"):
        PhoneDurations.measured(heard, 0.01)
