from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.cut import Cut
from lhotse.supervision import AlignmentItem

from sprachbund.data.aligning.driver import align_cuts
from sprachbund.data.aligning.results import Finding, Outcome
from sprachbund.data.phones import FINGERPRINT, is_aligned
from sprachbund.data.units import Shard
from sprachbund.errors import DataError, SprachbundError


@dataclass
class Counting:
    """An aligner that notes what it is asked, and dies when it has done so many cuts."""

    fingerprint: str = "0123456789abcdef0123"
    dies_after: int = 1000
    asked: list[str] = field(default_factory=list)

    def find(self, cuts: Sequence[Cut], jobs: int) -> Iterator[tuple[Finding, ...]]:
        for cut in cuts:
            if len(self.asked) == self.dies_after:
                raise KeyboardInterrupt
            self.asked.append(cut.id)
            score = -float(cut.id)
            yield (Finding(Outcome.ALIGNED, {"phone": (AlignmentItem("AH", 0.0, score + 100),)}, score),)


def cuts_of(count: int) -> CutSet:
    cuts = []
    for number in range(count):
        said = [SupervisionSegment(f"s{number}", "r", 0.0, 1.0, text="us")]
        recording = Recording("r", [], 16_000, 16_000, 1.0)
        cuts.append(MonoCut(str(number), 0.0, 1.0, 0, recording=recording, supervisions=said))
    return CutSet.from_cuts(cuts)


@pytest.mark.parametrize("dies_after", [0, 3, 7])
def test_an_ended_run_goes_on_with_the_same_result(tmp_path: Path, dies_after: int) -> None:
    cuts = cuts_of(7)
    whole = align_cuts(cuts, Counting())
    with pytest.raises(KeyboardInterrupt) if dies_after < 7 else nullcontext():
        align_cuts(cuts, Counting(dies_after=dies_after), store=tmp_path)
    second = Counting()
    done = align_cuts(cuts, second, store=tmp_path)
    assert second.asked == [str(number) for number in range(dies_after, 7)]
    assert whole is not None
    assert done is not None
    assert list(done.cuts) == list(whole.cuts)
    assert done.judged == whole.judged


def test_shards_together_are_the_whole(tmp_path: Path) -> None:
    cuts, whole = cuts_of(8), align_cuts(cuts_of(8), Counting())
    asked = []
    for number in (3, 1, 2):
        aligner = Counting()
        done = align_cuts(cuts, aligner, store=tmp_path, shard=Shard(number, 3))
        asked.append(aligner.asked)
        assert (done is None) == (number != 2)
    assert sorted(name for one in asked for name in one) == [str(number) for number in range(8)]
    assert done is not None
    assert whole is not None
    assert list(done.cuts) == list(whole.cuts)
    last = Counting(dies_after=0)
    again = align_cuts(cuts, last, store=tmp_path)
    assert again is not None
    assert again.judged == whole.judged


def test_another_aligner_finds_nothing_finished(tmp_path: Path) -> None:
    align_cuts(cuts_of(2), Counting(), store=tmp_path)
    other = Counting(fingerprint="fedcba9876543210fedc")
    done = align_cuts(cuts_of(2), other, store=tmp_path)
    assert other.asked == ["0", "1"]
    assert done is not None
    assert {said.custom[FINGERPRINT] for cut in done.cuts for said in cut.supervisions} == {other.fingerprint}


def test_another_score_needs_no_other_alignment(tmp_path: Path) -> None:
    align_cuts(cuts_of(5), Counting(), store=tmp_path)
    done = align_cuts(cuts_of(5), Counting(dies_after=0), store=tmp_path, min_score=-2.0)
    assert done is not None
    assert done.outcomes == {Outcome.ALIGNED: 3, Outcome.UNLIKELY: 2}
    assert [is_aligned(cut) for cut in done.cuts] == [True, True, True, False, False]
    assert [(one.cut, one.finding.score) for one in done.unaligned()] == [("3", -3.0), ("4", -4.0)]


def test_a_name_without_a_recording_of_its_own_is_refused(tmp_path: Path) -> None:
    cuts = CutSet.from_cuts([next(iter(cuts_of(1))).pad(2.0)])
    with pytest.raises(DataError, match="no recording in one file"):
        align_cuts(cuts, Counting())


def test_an_aligner_that_fails_keeps_what_it_did(tmp_path: Path) -> None:
    class Failing(Counting):
        def find(self, cuts: Sequence[Cut], jobs: int) -> Iterator[tuple[Finding, ...]]:
            yield from super().find(cuts[:2], jobs)
            raise SprachbundError("broken")

    with pytest.raises(SprachbundError, match="broken"):
        align_cuts(cuts_of(3), Failing(), store=tmp_path)
    next_one = Counting()
    align_cuts(cuts_of(3), next_one, store=tmp_path)
    assert next_one.asked == ["2"]
