import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lhotse import CutSet

import tiny
from sprachbund.data.checking.items import Item, Part, read_items
from sprachbund.data.checking.problems import Problem
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import DataError


def read(path: Path, **options: Any) -> tuple[list[Item], list[Problem]]:
    problems: list[Problem] = []
    return list(read_items(path, problems.append, **options)), problems


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_items_hold_what_the_cuts_say(tmp_path: Path):
    path = tiny.write_corpus(tmp_path, 3, units=tiny.unit_model())
    items, problems = read(path)
    assert not problems
    for number, (item, cut) in enumerate(zip(items, read_cuts(path), strict=True), 1):
        assert (item.file, item.line, item.id) == (path, number, cut.id)
        source, declared = cut.recording.sources[0].source, (16000, cut.recording.num_samples, 1)
        assert item.parts == (Part(source, cut.start, cut.end, declared),)
        assert (item.duration, item.foreign) == (cut.duration, None)
        assert item.texts == (tiny.TEXTS[number - 1],)
        assert item.labels is not None


def test_bad_lines_are_told_with_their_numbers_and_end_nothing(tmp_path: Path):
    path = tiny.write_corpus(tmp_path, 3)
    first, second, third = gzip.decompress(path.read_bytes()).split(b"\n")[:3]
    bad = [
        b"{",
        b"[1]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"type": "MonoCut"}',
        second.replace(b'"id": ', b'"id": 7, "x": '),
    ]
    lines = [first, b"", bad[0], bad[1], second, *bad[2:], third]
    (tmp_path / "bad.jsonl").write_bytes(b"\n".join(lines))
    items, problems = read(tmp_path / "bad.jsonl")
    assert [item.line for item in items] == [1, 5, 10]
    assert [problem.line for problem in problems] == [3, 4, 6, 7, 8, 9]
    assert {problem.kind for problem in problems} == {"bad-line"}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"id": 5}, "bad-line"),
        ({"id": "\ud800"}, "bad-line"),
        ({"start": "0"}, "bad-times"),
        ({"start": -0.5}, "bad-times"),
        ({"start": 10**400}, "bad-times"),
        ({"duration": None}, "bad-times"),
        ({"duration": 0}, "bad-times"),
        ({"duration": -1}, "bad-times"),
        ({"recording": {"sampling_rate": "fast"}}, "bad-line"),
        ({"recording": {"duration": -1}}, "bad-line"),
        ({"recording": {"sources": [{"type": "file", "channels": [0], "source": "a\0b"}]}}, "bad-line"),
        ({"recording": {"sources": [{"type": "file", "channels": [0], "source": 7}]}}, "bad-line"),
        ({"supervisions": [{"id": "s", "recording_id": "r", "start": 0, "duration": 1, "text": ["a"]}]}, "bad-line"),
    ],
    ids=range(13),
)
def test_values_that_no_cut_can_have(tmp_path: Path, changes: dict[str, Any], kind: str):
    record = records(tiny.write_corpus(tmp_path, 1))[0]
    inner = changes.get("recording", {})
    record |= {**changes, "recording": record["recording"] | inner}
    (tmp_path / "a.jsonl").write_text(json.dumps(record))
    items, problems = read(tmp_path / "a.jsonl")
    assert not items
    assert [problem.kind for problem in problems] == [kind]


def test_times_that_are_no_numbers(tmp_path: Path):
    record = records(tiny.write_corpus(tmp_path, 1, units=tiny.unit_model()))[0]
    (tmp_path / "a.jsonl").write_text(json.dumps(record | {"duration": float("nan")}))
    assert [problem.kind for problem in read(tmp_path / "a.jsonl")[1]] == ["bad-times"]


def test_mixtures_take_parts_of_several_files(tmp_path: Path):
    first, second = tiny.make_cuts(tmp_path, 2)
    mixture = first.truncate(offset=0.1, duration=0.2).append(second).pad(duration=5)
    write_cuts(CutSet.from_cuts([mixture]), tmp_path / "a.jsonl")
    (item,), problems = read(tmp_path / "a.jsonl")
    assert not problems
    assert [(part.path, part.start, part.end) for part in item.parts] == [
        (first.recording.sources[0].source, 0.1, pytest.approx(0.3)),
        (second.recording.sources[0].source, 0.0, second.duration),
    ]


def test_what_lhotse_changes_is_not_as_declared_and_has_other_times(tmp_path: Path):
    (cut,) = tiny.make_cuts(tmp_path, 1)
    write_cuts([cut.perturb_speed(1.1)], tmp_path / "a.jsonl")
    (item,), _ = read(tmp_path / "a.jsonl")
    assert item.parts == (Part(cut.recording.sources[0].source),)


@pytest.mark.parametrize("kind", ["command", "url"])
def test_what_is_no_file_stays_closed(tmp_path: Path, kind: str):
    record = records(tiny.write_corpus(tmp_path, 1))[0]
    record["recording"]["sources"][0] |= {"type": kind, "source": f"touch {tmp_path / 'executed'}"}
    (tmp_path / "a.jsonl").write_text(json.dumps(record))
    (item,), problems = read(tmp_path / "a.jsonl")
    assert (item.parts, item.foreign, problems) == ((), kind, [])
    assert not (tmp_path / "executed").exists()


def test_arrays_in_foreign_stores_stay_closed(tmp_path: Path):
    record = records(tiny.write_corpus(tmp_path, 1, units=tiny.unit_model()))[0]
    command = {"storage_type": "kaldiio", "storage_key": f"touch {tmp_path / 'executed'} |"}
    record["custom"]["units"]["array"] |= command
    (tmp_path / "a.jsonl").write_text(json.dumps(record))
    assert [problem.kind for problem in read(tmp_path / "a.jsonl")[1]] == ["bad-line"]
    assert not (tmp_path / "executed").exists()


def test_a_manifest_cut_short_or_empty_is_told(tmp_path: Path):
    path = tiny.write_corpus(tmp_path, 8)
    path.write_bytes(path.read_bytes()[:-9])
    items, problems = read(path)
    assert len(items) == 8
    assert [(problem.kind, problem.line) for problem in problems] == [("damaged-file", 9)]
    (tmp_path / "empty.jsonl").write_bytes(b"\n \n")
    assert [problem.detail for problem in read(tmp_path / "empty.jsonl")[1]] == ["the manifest is empty"]
    with pytest.raises(DataError):
        read(tmp_path / "none.jsonl")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
PLACES = ("id", "start", "duration", "channel", "recording", "supervisions", "custom", "type", "features")


@pytest.fixture(scope="module")
def sound_record(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return records(tiny.write_corpus(tmp_path_factory.mktemp("corpus"), 1, units=tiny.unit_model()))[0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(data=st.data(), place=st.sampled_from(PLACES), value=JSON)
def test_any_change_gives_an_item_or_a_bad_line(
    tmp_path: Path, sound_record: dict[str, Any], data: st.DataObject, place: str, value: Any
):
    record = json.loads(json.dumps(sound_record))
    target = record
    if place in ("recording", "custom") and data.draw(st.booleans()):
        target = record[place]
        place = data.draw(st.sampled_from(sorted(target)))
    target[place] = value
    (tmp_path / "a.jsonl").write_text(json.dumps(record))
    items, problems = read(tmp_path / "a.jsonl")
    assert len(items) + len(problems) == 1
