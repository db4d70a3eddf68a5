from pathlib import Path

import pytest
from lhotse import SupervisionSegment

import tiny
from sprachbund.data.exporters.sources import source_of, text_of
from sprachbund.errors import DataError


def test_a_plain_part_has_a_source(tmp_path: Path) -> None:
    first, second = tiny.make_cuts(tmp_path, 2)
    assert source_of(first) is first.recording.sources[0]
    assert source_of(first.truncate(offset=0.1)).source == first.recording.sources[0].source
    for other in (first.mix(second), first.pad(3), first.perturb_speed(1.1)):
        with pytest.raises(DataError, match=f"no plain part of one recording in cut {other.id}"):
            source_of(other)


def test_texts(tmp_path: Path) -> None:
    [cut] = tiny.make_cuts(tmp_path, 1)
    assert text_of(cut) == "ab"
    cut.supervisions[0].text = "two\nlines"
    with pytest.raises(DataError, match="goes over several lines"):
        text_of(cut)
    cut.supervisions[0].text = None
    assert text_of(cut) is None
    cut.supervisions = [SupervisionSegment(name, cut.id, 0, 0.1, text=name) for name in "ab"]
    with pytest.raises(DataError, match="not have exactly one transcript"):
        text_of(cut)
