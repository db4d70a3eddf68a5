import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.phonemes.spelling import reading
from sprachbund.data.phonemes.lines import TOO_LONG, Drawing, Phonemization
from sprachbund.data.phonemes.reading import NO_KNOWN_WORD
from sprachbund.data.text.blocks import Rejected, transform_lines
from sprachbund.data.text.lines import Line
from sprachbund.data.text.store import LineStore
from sprachbund.data.units import Shard
from sprachbund.tokens.lexicon import Phones
from sprachbund.tokens.phone_durations import MOST_LABELS, Duration, PhoneDurations

words = st.lists(st.lists(st.sampled_from(["AH", "B", "K"]), min_size=1, max_size=3).map(tuple), min_size=1, max_size=8)
numbers = st.integers(0, 2**40)


def labels(words: list[Phones], number: int = 0, **settings: object) -> list[str]:
    drawn = Drawing(**settings).labels(words, number)
    assert not isinstance(drawn, Rejected)
    return drawn


def phones_of(words: list[Phones]) -> list[str]:
    return [phone for word in words for phone in word]


@given(words, numbers, st.floats(0, 1))
def test_silence_is_at_both_ends_and_between_words_alone(found: list[Phones], number: int, silence: float) -> None:
    drawn = labels(found, number, silence=silence)
    assert drawn[0] == drawn[-1] == "SIL"
    runs = [list(run) for is_silent, run in itertools.groupby(drawn, lambda label: label == "SIL") if not is_silent]
    assert phones_of(runs) == phones_of(found)
    ends = set(itertools.accumulate(map(len, found)))
    assert set(itertools.accumulate(map(len, runs))) <= ends
    assert drawn.count("SIL") == len(runs) + 1, "silences are single"


@pytest.mark.parametrize(("silence", "count"), [(0.0, 2), (1.0, 9)])
def test_certain_silences_are_certain(silence: float, count: int) -> None:
    assert labels([("B",)] * 8, silence=silence).count("SIL") == count


def test_a_quarter_of_the_gaps_is_silent() -> None:
    drawn = [labels([("B",)] * 41, number) for number in range(50)]
    assert np.mean([line.count("SIL") - 2 for line in drawn]) / 40 == pytest.approx(0.25, abs=0.03)
    assert len({tuple(line) for line in drawn}) == 50


@given(words, numbers, st.integers(0, 5))
def test_repetition_leaves_the_order_as_it_is(found: list[Phones], number: int, seed: int) -> None:
    once = labels(found, number, seed=seed)
    often = labels(found, number, seed=seed, durations=PhoneDurations())
    assert [label for label, _ in itertools.groupby(often)] == [label for label, _ in itertools.groupby(once)]
    assert len(often) >= len(once)
    assert often == labels(found, number, seed=seed, durations=PhoneDurations())


def test_seed_and_number_decide() -> None:
    found = [("B",)] * 40
    drawn = {tuple(labels(found, number, seed=seed)) for seed in range(3) for number in range(3)}
    assert len(drawn) == 9


@pytest.mark.parametrize(("longest", "is_kept"), [(5, True), (4, False)])
def test_lines_that_are_too_long_are_rejected(longest: int, is_kept: bool) -> None:
    drawn = Drawing(longest=longest, silence=0).labels([("B", "AH"), ("K",)], 0)
    assert drawn == (
        ["SIL", "B", "AH", "K", "SIL"] if is_kept else Rejected(TOO_LONG, "5 labels, at most 4 are wanted")
    )


def test_lines_that_cannot_be_shrunk_are_rejected() -> None:
    drawn = Drawing(durations=PhoneDurations(default=Duration(5, 0))).labels([("B",)] * MOST_LABELS, 0)
    assert isinstance(drawn, Rejected)
    assert drawn.reason == TOO_LONG


def test_lines_are_answered_in_their_order(tmp_path: Path) -> None:
    work = Phonemization(reading(tmp_path), Drawing(silence=0, longest=7))
    texts = ["The cat.", "zorg", "the cat sat", "i"]
    answers = work.start()([Line(number, text) for number, text in enumerate(texts)])
    kept = [(list(answer["phones"]), answer["text"]) for answer in answers if not isinstance(answer, Rejected)]
    vocabulary = work.reading.vocabulary  # type: ignore[attr-defined]
    silent, *_ = vocabulary.ids_of(["SIL"])
    assert kept == [
        ([silent, *vocabulary.ids_of(["DH", "AH", "K", "AE", "T"]), silent], "The cat."),
        ([silent, vocabulary.id_of("AY"), silent], "i"),
    ]
    assert [answer.reason for answer in answers if isinstance(answer, Rejected)] == [NO_KNOWN_WORD, TOO_LONG]
    assert set(work.fields()) == {"phones", "text"}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_shards_and_interruptions_change_nothing(tmp_path: Path) -> None:
    source = tmp_path / "text.txt"
    source.write_text("".join(f"the cat sat {'a zorg ' * (number % 4)}\n" for number in range(200)))
    work = Phonemization(reading(tmp_path), Drawing(durations=PhoneDurations()))
    transform_lines(source, work, tmp_path / "whole")
    halves = [transform_lines(source, work, tmp_path / "halves", shard=Shard(number, 2)) for number in (1, 2)]
    assert halves[0].store is None
    assert contents(tmp_path / "whole") == contents(tmp_path / "halves")
    store = LineStore(tmp_path / "whole")
    assert [store.text("text", number) for number in (0, 3)] == [
        "the cat sat ",
        "the cat sat a zorg a zorg a zorg ",
    ]
    assert store.facts["settings"]["work"]["durations"] == PhoneDurations().to_mapping()


@pytest.mark.slow
def test_processes_change_nothing(tmp_path: Path) -> None:
    source = tmp_path / "text.txt"
    source.write_text("the cat sat\n" * 300)
    work = Phonemization(reading(tmp_path), Drawing())
    for jobs in (1, 2):
        transform_lines(source, work, tmp_path / str(jobs), jobs=jobs)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
