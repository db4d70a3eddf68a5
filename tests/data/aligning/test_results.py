import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.supervision import AlignmentItem

from sprachbund.data.aligning.results import Alignments, Finding, Judged, Outcome, judged_of, with_findings
from sprachbund.data.phones import ALIGNMENT_START, DECODED, FINGERPRINT, SCORE, is_aligned

TIERS = {
    "word": (AlignmentItem("us", 0.1, 0.3),),
    "phone": (AlignmentItem("AH", 0.1, 0.2), AlignmentItem("S", 0.3, 0.1)),
}
ALIGNED = Finding(Outcome.ALIGNED, TIERS, -1.5, guessed_words=("us",))
DECODED_PHONES = Finding(Outcome.DECODED, {"phone": TIERS["phone"]})
times = st.floats(0, 1e4).map(lambda seconds: round(seconds, 8))
items = st.lists(st.tuples(st.text(), times, times))


def cut_of(*names: str) -> MonoCut:
    said = [SupervisionSegment(name, "r", 0.25, 0.5, text=name, custom={"kept": 1}) for name in names]
    return MonoCut("c", 0.0, 1.0, 0, recording=Recording("r", [], 16_000, 16_000, 1.0), supervisions=said)


@given(items, items, st.none() | st.floats(-100, 0), st.text(), st.lists(st.text()))
def test_findings_survive_json(
    words: list[tuple[str, float, float]],
    phones: list[tuple[str, float, float]],
    score: float | None,
    detail: str,
    guessed: list[str],
) -> None:
    tiers = {
        tier: tuple(AlignmentItem(*item) for item in drawn) for tier, drawn in (("word", words), ("phone", phones))
    }
    for finding in (
        Finding(Outcome.ALIGNED, tiers, score, detail, tuple(guessed)),
        Finding(Outcome.UNLIKELY, score=score, detail=detail),
    ):
        assert Finding.from_mapping(json.loads(json.dumps(finding.to_mapping()))) == finding


@pytest.mark.parametrize("key", ["outcome", "tiers", "score", "detail", "guessed_words"])
@pytest.mark.parametrize("value", [None, 3, "Infinity", [["AH", "x", 1]]], ids=["null", "number", "text", "list"])
def test_other_mappings_are_no_findings_or_equal_ones(key: str, value: object) -> None:
    plain = {**ALIGNED.to_mapping(), key: value}
    try:
        finding = Finding.from_mapping(plain)
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError):
        return
    assert Finding.from_mapping(finding.to_mapping()) == finding


def test_alignments_are_carried_by_their_supervisions() -> None:
    refused = Finding(Outcome.NOT_ALIGNABLE, detail="too short")
    cut = with_findings(cut_of("a", "b"), (ALIGNED, refused), "print")
    first, second = cut.supervisions
    assert {tier: tuple(items) for tier, items in first.alignment.items()} == TIERS
    assert first.custom == {"kept": 1, ALIGNMENT_START: 0.25, FINGERPRINT: "print", SCORE: -1.5}
    assert second == cut_of("a", "b").supervisions[1]


def test_older_alignments_go() -> None:
    """Else a manifest would mix those of two aligners."""
    before = with_findings(cut_of("a"), (ALIGNED,), "old")
    assert with_findings(before, (Finding(Outcome.NOT_ALIGNABLE),), "new") == cut_of("a")
    assert with_findings(before, (ALIGNED,), "new") == with_findings(cut_of("a"), (ALIGNED,), "new")
    kept = before.supervisions[0].alignment | {"mouth": [AlignmentItem("open", 0.0, 1.0)]}
    both = replace(before, supervisions=[replace(before.supervisions[0], alignment=kept)])
    left = with_findings(both, (Finding(Outcome.NOT_ALIGNABLE),), "new").supervisions[0]
    assert left.alignment.keys() == {"mouth"}


def test_decoded_phones_are_marked_and_need_no_supervision() -> None:
    cut = with_findings(cut_of(), (DECODED_PHONES,), "print")
    (said,) = cut.supervisions
    assert is_aligned(cut)
    assert (said.id, said.text, said.start, said.duration) == ("c", None, 0.0, 1.0)
    assert said.custom[DECODED] is True
    assert DECODED not in with_findings(cut, (ALIGNED,), "print").supervisions[0].custom
    assert with_findings(cut_of(), (Finding(Outcome.NO_TRANSCRIPT),), "print") == cut_of()


@given(st.floats(-9, 0), st.floats(-9, 0))
def test_only_alignments_below_the_score_become_unlikely(score: float, least: float) -> None:
    finding = replace(ALIGNED, score=score)
    judged = finding.judged(least)
    assert (judged.outcome is Outcome.UNLIKELY) == (score < least)
    assert judged.score == score
    assert bool(judged.tiers) == (score >= least)
    assert finding.judged(None) == finding
    assert DECODED_PHONES.judged(least) == DECODED_PHONES
    unscored = replace(ALIGNED, score=None)
    assert unscored.judged(least) == unscored


def test_everything_is_counted_and_listed() -> None:
    cut = cut_of("a", "b", "c")
    found = (ALIGNED, replace(ALIGNED, score=-9.0), Finding(Outcome.NOT_ENGLISH))
    done = Alignments(CutSet.from_cuts([cut]), tuple(judged_of(cut, found)))
    assert done.outcomes == {Outcome.ALIGNED: 2, Outcome.NOT_ENGLISH: 1}
    assert done.guessed_words == {"us": 2}
    assert done.unaligned() == [Judged("c", "c", found[2])]
    assert [one.supervision for one in done.doubtful(-5.0)] == ["b"]
    assert judged_of(cut_of(), (Finding(Outcome.NO_TRANSCRIPT),))[0].supervision is None
