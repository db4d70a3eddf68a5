import pytest
from lhotse.utils import fastcopy

import tiny
from sprachbund.data.check import check_cuts, check_overlap
from sprachbund.errors import AudioError, DataError


def test_sound_cuts_are_summed_up(tmp_path):
    cuts = list(tiny.make_cuts(tmp_path, 3))
    minutes = sum(cut.duration for cut in cuts) / 60
    assert check_cuts(cuts) == f"3 clips, {minutes:.2f} minutes, 4 words"


def test_a_missing_recording_is_told(tmp_path):
    cuts = list(tiny.make_cuts(tmp_path, 2))
    (tmp_path / "audio" / "clip-001.wav").unlink()
    with pytest.raises(AudioError, match=r"clip-001\.wav"):
        check_cuts(cuts)


def test_a_cut_longer_than_its_recording_is_told(tmp_path):
    cut = next(iter(tiny.make_cuts(tmp_path, 1)))
    with pytest.raises(DataError, match="ends after its recording"):
        check_cuts([fastcopy(cut, duration=cut.duration + 1)])


def test_an_empty_transcript_is_told(tmp_path):
    cut = next(iter(tiny.make_cuts(tmp_path, 1)))
    empty = fastcopy(cut, supervisions=[fastcopy(cut.supervisions[0], text=" ")])
    with pytest.raises(DataError, match="empty transcript"):
        check_cuts([empty])


def test_texts_of_the_test_set_may_not_be_trained_on(tmp_path):
    cuts = list(tiny.make_cuts(tmp_path, 6))
    check_overlap({"train": cuts[:3], "dev": cuts[3:4], "test": cuts[4:]})
    with pytest.raises(DataError, match=r"1 transcripts of test .*given: ab"):
        check_overlap({"train": cuts[:3], "dev": cuts[3:4], "test": [*cuts[4:], cuts[0]]})
