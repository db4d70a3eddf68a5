import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse import CutSet, RecordingSet, SupervisionSegment, SupervisionSet

import importing
import tiny
from sprachbund.data.importers.lhotse_manifest import read_manifest, read_recordings
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.errors import DataError


def test_cuts_stay_what_they_are(tmp_path: Path) -> None:
    units = tiny.unit_model()
    manifest = tiny.write_corpus(tmp_path / "tiny", 3, units=units)
    cuts = importing.imported("lhotse", manifest, tmp_path / "out")
    before = {cut.id: cut for cut in tiny.make_cuts(tmp_path / "tiny", 3)}
    assert importing.texts(cuts) == importing.texts(before)
    for name, cut in cuts.items():
        assert np.array_equal(read_waveform(cut), read_waveform(before[name]))
        assert cut.custom["units_fingerprint"] == units.fingerprint
        assert len(cut.load_custom("units")) > 10


def test_manifests_of_lhotse_itself_from_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Lhotse writes paths as they are, relative to the folder it is run in.
    monkeypatch.chdir(tmp_path)
    cuts = tiny.make_cuts(Path("speech"), 2)
    (tmp_path / "lists").mkdir()
    cuts.to_file("lists/train.jsonl.gz")
    assert importing.imported("lhotse", tmp_path / "lists", tmp_path / "out").keys() == {"clip-000", "clip-001"}


def test_a_cut_with_several_supervisions_becomes_several(tmp_path: Path) -> None:
    [cut] = tiny.make_cuts(tmp_path, samples=[16_000])
    cut.supervisions = [
        SupervisionSegment("x", cut.id, 0.1, 0.2, text="a"),
        SupervisionSegment("y", cut.id, 0.5, 0.3, text="b"),
    ]
    CutSet.from_cuts([cut]).to_file(tmp_path / "two.jsonl")
    cuts = importing.imported("lhotse", tmp_path / "two.jsonl", tmp_path / "out")
    assert sorted((cut.start, cut.duration, cut.supervisions[0].text) for cut in cuts.values()) == [
        (0.1, 0.2, "a"),
        (0.5, 0.3, "b"),
    ]


def write_pair(folder: Path, cuts: CutSet, supervisions: list[SupervisionSegment]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    RecordingSet.from_recordings(cut.recording for cut in cuts).to_file(folder / "tiny_recordings_train.jsonl.gz")
    SupervisionSet.from_segments(supervisions).to_file(folder / "tiny_supervisions_train.jsonl.gz")
    return folder


def test_recordings_with_supervisions(tmp_path: Path) -> None:
    cuts = tiny.make_cuts(tmp_path, samples=[16_000, 8_000])
    parts = [
        SupervisionSegment("a", "clip-000", 0.25, 0.5, text="one", speaker="anna"),
        SupervisionSegment("b", "clip-000", 0.75, 0.25, text="two"),
        SupervisionSegment("c", "clip-001", 0.0, 0.5, text="three"),
        SupervisionSegment("d", "gone", 0.0, 0.5, text="four"),
    ]
    folder = write_pair(tmp_path / "lists", cuts, parts)
    [report] = importing.run("lhotse", folder, tmp_path / "out")
    assert (report.split, report.notes) == ("tiny_train", ("left out: 1 supervisions without a recording (d)",))
    found = importing.imported("lhotse", folder / "tiny_recordings_train.jsonl.gz", tmp_path / "out")
    assert importing.texts(found) == {"a": "one", "b": "two", "c": "three"}
    assert found["a"].supervisions[0].start == 0
    whole = read_waveform(next(iter(cuts)))
    assert np.array_equal(read_waveform(found["a"]), whole[4000:12000])
    (folder / "tiny_supervisions_train.jsonl.gz").unlink()
    alone = importing.imported("lhotse", folder, tmp_path / "out")
    assert importing.texts(alone) == {"clip-000": None, "clip-001": None}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"start": float("nan")}, "no valid cut in .*supervisions.*line 1"),
        ({"duration": -1}, "no valid cut in .*supervisions.*line 1"),
        ({"duration": "long"}, "no valid cut in .*supervisions.*line 1"),
        ({"text": ["a"]}, "no valid cut in .*supervisions.*line 1"),
        ({"id": None}, "no valid cut in .*supervisions.*line 1"),
    ],
)
def test_malformed_supervisions(tmp_path: Path, change: dict[str, object], told: str) -> None:
    cuts = tiny.make_cuts(tmp_path, 1)
    folder = write_pair(tmp_path / "lists", cuts, [])
    record = {"id": "a", "recording_id": "clip-000", "start": 0.0, "duration": 0.2, "text": "a", **change}
    (folder / "tiny_supervisions_train.jsonl.gz").unlink(missing_ok=True)
    recordings = folder / "tiny_recordings_train.jsonl.gz"
    recordings.rename(folder / "recordings.jsonl.gz")
    recordings = folder / "recordings.jsonl"
    (folder / "recordings.jsonl.gz").unlink()
    recordings.write_text(json.dumps(next(iter(cuts)).recording.to_dict()) + "\n")
    (folder / "supervisions.jsonl").write_text(json.dumps(record) + "\n")
    with pytest.raises(DataError, match=told):
        importing.run("lhotse", recordings, tmp_path / "out")


def test_a_manifest_is_not_written_over_itself(tmp_path: Path) -> None:
    manifest = tiny.write_corpus(tmp_path, 1)
    before = manifest.read_bytes()
    with pytest.raises(DataError, match=r"written over its source in .*clip.jsonl.gz"):
        importing.run("lhotse", manifest, tmp_path)
    assert manifest.read_bytes() == before


def test_recordings_are_there_once(tmp_path: Path) -> None:
    line = json.dumps(next(iter(tiny.make_cuts(tmp_path, 1))).recording.to_dict())
    importing.write_files(tmp_path, {"recordings.jsonl": f"{line}\n{line}\n"})
    with pytest.raises(DataError, match=r"no recording with an id of its own in .*recordings.jsonl, line 2"):
        list(read_recordings(tmp_path / "recordings.jsonl"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lhotse")


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just([]) | st.just({})
SOURCES = st.lists(
    st.fixed_dictionaries({"type": st.just("file") | VALUES, "channels": st.just([0]) | VALUES, "source": VALUES}),
    max_size=2,
)
FIELDS = {
    "id": st.just("a") | VALUES,
    "sources": SOURCES | VALUES,
    "sampling_rate": st.just(16000) | VALUES,
    "num_samples": st.just(100) | VALUES,
    "duration": st.just(0.1) | VALUES,
    "recording_id": st.just("a") | VALUES,
    "start": st.just(0) | VALUES,
    "type": st.just("MonoCut") | VALUES,
    "channel": st.just(0) | VALUES,
    "supervisions": VALUES,
    "recording": VALUES,
}
LINES = st.lists(st.fixed_dictionaries({}, optional=FIELDS) | VALUES, max_size=3).map(
    lambda records: "".join(json.dumps(record) + "\n" for record in records).encode()
) | st.binary(max_size=40)


@settings(deadline=None, max_examples=100)
@given(recordings=LINES, supervisions=LINES)
def test_any_manifests_give_cuts_or_an_error_of_ours(place: Path, recordings: bytes, supervisions: bytes) -> None:
    importing.write_files(place, {"recordings.jsonl": recordings, "supervisions.jsonl": supervisions})
    importing.items_or_error(lambda: read_recordings(place / "recordings.jsonl"))
    importing.items_or_error(lambda: read_manifest(place / "recordings.jsonl"))
    (place / "supervisions.jsonl").unlink()
    importing.items_or_error(lambda: read_recordings(place / "recordings.jsonl"))
