import itertools

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse.utils import fastcopy

from decoding.phone_models import oracle, write_spoken
from sprachbund.data.aligning.results import Finding, Outcome
from sprachbund.decoding.phones.tasks import GROUP, Heard, Task, find_in_group, in_groups, side_by_side, timed


def counted(heard):
    """How many frames each stretch has."""
    return [Finding(Outcome.NOT_ALIGNABLE, detail=str(len(one.log_probs))) for one in heard]


def test_every_supervision_gets_its_own_finding(tmp_path):
    (cut,) = write_spoken(tmp_path, [("a b", [("AH", 5), ("B", 7)])])
    said = cut.supervisions[0]
    halves = [fastcopy(said, id="1", duration=0.1), fastcopy(said, id="2", start=0.1, duration=0.14)]
    task = Task(fastcopy(cut, supervisions=halves), (("a",), ("b",)))
    silent = Task(fastcopy(cut, supervisions=[]), (Outcome.NO_TRANSCRIPT,))
    first, second = find_in_group(oracle(), [task, silent], counted)
    assert [finding.detail for finding in first] == ["5", "7"]
    assert [finding.outcome for finding in second] == [Outcome.NO_TRANSCRIPT]


def test_a_recording_that_cannot_be_read_stops_no_other(tmp_path):
    cuts = list(write_spoken(tmp_path, [("a", [("AH", 5)])] * 3))
    (tmp_path / "clip-1.wav").write_bytes(b"no sound")
    found = find_in_group(oracle(), [Task(cut, (("a",),)) for cut in cuts], counted)
    assert [one[0].outcome for one in found] == [Outcome.NOT_ALIGNABLE, Outcome.UNREADABLE, Outcome.NOT_ALIGNABLE]
    assert "clip-1" in found[1][0].detail


def test_supervisions_outside_of_the_cut_are_clipped(tmp_path):
    (cut,) = write_spoken(tmp_path, [("a", [("AH", 5)])])
    said = [fastcopy(cut.supervisions[0], start=-1.0, duration=9.0)]
    assert Task(fastcopy(cut, supervisions=said), (("a",),)).places == [(0.0, cut.duration)]


@settings(deadline=None)
@given(st.lists(st.integers()))
def test_groups_are_the_things_in_their_order(things):
    groups = list(in_groups(things))
    assert [thing for group in groups for thing in group] == things
    assert all(len(group) == GROUP for group in groups[:-1])


def test_stretches_side_by_side_keep_their_frames():
    rows = [Heard((), (0.0, 1.0), torch.randn(length, 3)) for length in (2, 0, 4)]
    batch, lengths = side_by_side(rows, 3)
    assert lengths.tolist() == [2, 0, 4]
    for row, one in zip(batch, rows, strict=True):
        torch.testing.assert_close(row[: len(one.log_probs)], one.log_probs)
    assert side_by_side([], 3)[0].shape == (0, 0, 3)


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.floats(0, 5), st.floats(0, 2))
def test_items_follow_each_other_inside_of_the_stretch(lengths, start, duration):
    spans, first = [], 0
    for length in lengths:
        spans.append(("AA", first, first + length))
        first += length
    place = (start, start + duration)
    items = timed(spans, place, 0.02)
    assert all(one.duration >= 0 for one in items)
    assert items[0].start == round(start, 8)
    assert all(abs(one.end - two.start) < 1e-6 for one, two in itertools.pairwise(items))
    assert items[-1].end <= place[1] + 1e-6
    if place[1] - start >= 0.02 * first:
        assert abs(items[-1].end - (start + 0.02 * first)) < 1e-6


def test_models_that_hear_nothing_are_not_asked(tmp_path):
    (cut,) = write_spoken(tmp_path, [("a", [("AH", 5)])])
    assert find_in_group(oracle(), [Task(cut, (Outcome.NOT_ENGLISH,))], counted) == [(Finding(Outcome.NOT_ENGLISH),)]
