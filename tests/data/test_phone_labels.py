import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lhotse import CutSet
from lhotse.cut import Cut
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy

import tiny
from sprachbund.data.phone_labels import WithoutPhones, aligner_of, label_phones
from sprachbund.data.phones import ALIGNMENT_START, FINGERPRINT
from sprachbund.data.units import fewest_labels, load_units
from sprachbund.errors import DataError, VocabularyError
from sprachbund.evaluation.unit_quality import unit_quality
from sprachbund.tokens.phone_labels import RATES, PhoneLabels

REFUSE, LEAVE_OUT, NOISE = WithoutPhones
FILES = [HealthCheck.function_scoped_fixture]
Steps = list[tuple[str, int]]  # symbols with their lengths in steps of 10 ms


def aligned(cut: Cut, steps: Steps, aligner: str | None = "ab") -> Cut:
    items, place = [], 0
    for symbol, length in steps:
        items.append(AlignmentItem(symbol, round(place / 100, 8), length / 100))
        place += length
    custom = {ALIGNMENT_START: 0.0, **({} if aligner is None else {FINGERPRINT: aligner})}
    return fastcopy(cut, supervisions=[fastcopy(cut.supervisions[0], alignment={"phone": items}, custom=custom)])


def label(folder: Path, cuts: list[Cut], labels: PhoneLabels, without: WithoutPhones = REFUSE) -> list[list[str]]:
    done = label_phones(CutSet.from_cuts(cuts), labels, folder / "units", without)
    return [[labels.symbols[unit] for unit in load_units(cut, labels.fingerprint)] for cut in done.cuts]


symbols = st.sampled_from(["AA", "S", "SIL", "SPN", "ZH"])
drawn = st.lists(st.tuples(symbols, st.integers(1, 30)), min_size=1, max_size=8)


@settings(max_examples=30, deadline=None, suppress_health_check=FILES)
@given(drawn, st.integers(0, 5), st.sampled_from(RATES), st.integers(-70, 79))
@example([("AA", 1), ("AA", 1), ("S", 1)], 2, 25, 0)  # the last phone has no label of its own
def test_each_label_has_the_phone_of_its_middle(
    tmp_path: Path, steps: Steps, spare: int, rate: int, samples: int
) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    steps = [*steps, ("AA", 2)]  # the middle of a first label of 40 ms is inside
    length = sum(length for _, length in steps)
    [cut] = tiny.make_cuts(folder, samples=[160 * length + min(max(160 * spare + samples, 0), 800)])
    [found] = label(folder, [aligned(cut, steps)], PhoneLabels(rate=rate, aligner="ab"))
    every = [symbol for symbol, count in steps for _ in range(count)]
    middle = 50 // rate if rate < 100 else 0
    wanted = [every[min(100 // rate * number + middle, length - 1)] for number in range(len(found))]
    assert found == wanted
    assert len(found) >= fewest_labels(round(cut.duration * 16_000), rate)
    assert abs(len(found) - cut.duration * rate) <= 1


def test_what_has_no_phone_is_noise_but_for_the_end(tmp_path: Path) -> None:
    [cut] = tiny.make_cuts(tmp_path, samples=[16_000])
    items = [AlignmentItem("AA", 0.1, 0.1), AlignmentItem("S", 0.3, 0.1)]
    one = aligned(cut, [])
    one.supervisions[0].alignment = {"phone": items}
    [found] = label(tmp_path, [one], PhoneLabels(rate=100, aligner="ab"))
    assert found == ["SPN"] * 10 + ["AA"] * 10 + ["SPN"] * 10 + ["S"] * 10 + ["SPN"] * 60
    labelled = label_phones(CutSet.from_cuts([one]), PhoneLabels(rate=100, aligner="ab"), tmp_path / "units", REFUSE)
    assert (labelled.num_labels, labelled.num_noise) == (100, 80)
    items[1] = AlignmentItem("S", 0.3, 0.66)
    assert label(tmp_path, [one], PhoneLabels(rate=100, aligner="ab"))[0][-5:] == ["S"] * 5


@pytest.mark.parametrize("rate", RATES)
def test_a_sound_shorter_than_a_label_has_none(tmp_path: Path, rate: int) -> None:
    [cut] = tiny.make_cuts(tmp_path, samples=[159])
    assert label(tmp_path, [aligned(cut, [("AA", 1)])], PhoneLabels(rate=rate, aligner="ab")) == [[]]


def test_cuts_without_phones_are_what_was_chosen(tmp_path: Path) -> None:
    first, second = tiny.make_cuts(tmp_path, samples=[16_000, 16_000])
    cuts, labels = [aligned(first, [("AA", 100)]), second], PhoneLabels(aligner="ab")
    with pytest.raises(DataError, match=f"a cut has no phones in cut {second.id}"):
        label(tmp_path, cuts, labels)
    assert label(tmp_path, cuts, labels, LEAVE_OUT) == [["AA"] * 50]
    assert label(tmp_path, cuts, labels, NOISE) == [["AA"] * 50, ["SPN"] * 50]
    done = label_phones(CutSet.from_cuts(cuts), labels, tmp_path / "units", LEAVE_OUT)
    assert done.left_out == (second.id,)


def test_phones_of_several_aligners_are_refused(tmp_path: Path) -> None:
    cuts = list(tiny.make_cuts(tmp_path, samples=[16_000, 16_000]))
    same, other, none = (
        [aligned(cuts[0], [("AA", 9)]), aligned(cuts[1], [("S", 9)], who)] for who in ("ab", "cd", None)
    )
    assert aligner_of(same) == "ab"
    assert aligner_of(none[1:]) == ""
    for mixed in (other, none):
        with pytest.raises(VocabularyError, match="several aligners"):
            aligner_of(mixed)
        with pytest.raises(VocabularyError, match=r"another aligner in cut .*expected ab"):
            label(tmp_path, mixed, PhoneLabels(aligner="ab"))
    with pytest.raises(DataError, match="no cut has phones"):
        aligner_of(cuts)


def test_unknown_symbols_and_mixed_cuts_are_told(tmp_path: Path) -> None:
    [cut] = tiny.make_cuts(tmp_path, samples=[16_000])
    with pytest.raises(VocabularyError, match=f"cut {cut.id} .given: ʃ"):
        label(tmp_path, [aligned(cut, [("ʃ", 50)])], PhoneLabels(aligner="ab"))
    with pytest.raises(DataError, match="no recording in one file"):
        label(tmp_path, [aligned(cut, [("S", 50)]).pad(3.0)], PhoneLabels(aligner="ab"))


def test_phones_tell_all_about_themselves(tmp_path: Path) -> None:
    """The figures of units reach their best at the phones themselves, so ids and times are right."""
    cuts = [
        aligned(cut, [("AA", 20 + number), ("S", 17), ("SIL", 12), ("ZH_B", 20)])
        for number, cut in enumerate(tiny.make_cuts(tmp_path, samples=[16_000] * 3))
    ]
    labels = PhoneLabels(rate=50, aligner="ab")
    done = label_phones(CutSet.from_cuts(cuts), labels, tmp_path / "units", REFUSE)
    figures = unit_quality(done.cuts, labels)
    assert figures.with_silence.phone_purity == figures.with_silence.cluster_purity == 1.0
    assert figures.with_silence.phone_normalised_mutual_information == pytest.approx(1.0)


def test_a_part_of_a_cut_has_its_part_of_the_labels(tmp_path: Path) -> None:
    [cut] = tiny.make_cuts(tmp_path, samples=[16_000])
    labels = PhoneLabels(rate=100, aligner="ab")
    done = label_phones(CutSet.from_cuts([aligned(cut, [("AA", 40), ("S", 60)])]), labels, tmp_path / "u", REFUSE)
    part = next(iter(done.cuts)).truncate(offset=0.3, duration=0.4)
    assert np.array_equal(load_units(part, labels.fingerprint), [labels.id_of("AA")] * 10 + [labels.id_of("S")] * 30)
