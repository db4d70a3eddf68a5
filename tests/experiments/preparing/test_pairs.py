from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from lhotse import CutSet
from lhotse.cut import Cut
from lhotse.supervision import AlignmentItem

import paired_speech
import tiny
from experiments.preparable import phone_plan, workshop, write_sources
from sprachbund.data.aligning.results import Finding, Outcome
from sprachbund.data.phones import FINGERPRINT
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import DataError, RecipeError, VocabularyError
from sprachbund.experiments.preparing.pairs import align_pairs, brings_phones, given_pairs
from sprachbund.experiments.preparing.workshop import Workshop


@dataclass
class Aligner:
    """Finds a phone in the clips of these places."""

    places: tuple[int, ...] = (0, 2)
    fingerprint: str = "of the aligner"
    asked: int = 0

    def find(self, cuts: Sequence[Cut], jobs: int) -> Iterator[tuple[Finding, ...]]:
        for number, cut in enumerate(cuts):
            self.asked += 1
            tiers = {"phone": (AlignmentItem("AA", 0.0, cut.duration),)}
            is_found = number in self.places
            yield (Finding(Outcome.ALIGNED, tiers, -1.0) if is_found else Finding(Outcome.NOT_ALIGNABLE),)


def bare(folder: Path) -> Workshop:
    """Three paired clips without phones."""
    paired = tiny.write_corpus(folder / "bare", 3)
    return workshop(
        phone_plan(folder, sources=write_sources(folder, paired=(paired,)), phone_model=folder), folder / "out"
    )[0]


def test_clips_are_aligned_once_and_those_without_phones_left_out(tmp_path: Path) -> None:
    shop, aligner = bare(tmp_path), Aligner()
    assert not brings_phones(given_pairs(shop))
    for _ in range(2):
        align_pairs(shop, aligner)
    cuts = list(read_cuts(shop.aligned))
    assert [cut.id for cut in cuts] == ["clip-000", "clip-002"]
    assert cuts[0].supervisions[0].custom[FINGERPRINT] == "of the aligner"
    assert aligner.asked == 3
    with pytest.raises(RecipeError, match=r"other choices.*different: aligner"):
        align_pairs(shop, Aligner(fingerprint="of another"))


def test_nothing_aligned_is_refused(tmp_path: Path) -> None:
    shop = bare(tmp_path)
    with pytest.raises(DataError, match=r"no clip of the paired part could be aligned.*3 clips"):
        align_pairs(shop, Aligner(places=()))
    assert not shop.aligned.exists()


def test_alignments_that_are_there_are_taken(tmp_path: Path) -> None:
    shop, said = workshop(phone_plan(tmp_path, phone_model=tmp_path), tmp_path / "out")
    [path] = shop.plan.sources.paired
    cuts = list(read_cuts(path))
    extra = list(tiny.make_cuts(tmp_path / "more", 1, name="more"))
    write_cuts([*cuts, *extra], path)
    assert brings_phones(given_pairs(shop))
    align_pairs(shop, None)
    assert said[-1] == "3 of 4 paired clips have phones in time"
    assert [cut.id for cut in read_cuts(shop.aligned)] == [cut.id for cut in cuts]


def test_alignments_of_two_aligners_are_refused(tmp_path: Path) -> None:
    shop, _ = workshop(phone_plan(tmp_path, phone_model=tmp_path), tmp_path / "out")
    one, two = (
        paired_speech.evenly_aligned(cut, **{FINGERPRINT: name})
        for cut, name in zip(tiny.make_cuts(tmp_path / "more", 2, name="more"), "ab", strict=True)
    )
    write_cuts(CutSet.from_cuts([one, two]), shop.plan.sources.paired[0])
    with pytest.raises(VocabularyError, match="the phones are of several aligners"):
        align_pairs(shop, None)
