import gzip
import json
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lhotse import CutSet, MonoCut, NumpyFilesWriter, Recording, SupervisionSegment
from lhotse.audio import AudioSource

from sprachbund.data.storage.manifest import read_cuts, read_manifest_bytes, write_cuts
from sprachbund.errors import DataError
from sprachbund.signal.audio import write_audio


def make_cut(folder: Path, name: str, text: str = "text") -> MonoCut:
    path = folder / "recordings" / f"{name}.flac"
    write_audio(path, np.sin(np.arange(1600, dtype=np.float32)), 16000)
    recording = Recording(name, [AudioSource("file", [0], str(path))], 16000, 1600, 0.1)
    return MonoCut(name, 0, 0.1, 0, [SupervisionSegment(name, name, 0, 0.1, text=text)], recording=recording)


def add_units(cut: MonoCut, folder: Path) -> MonoCut:
    with NumpyFilesWriter(folder / "units") as writer:
        cut.units = writer.store_array(cut.id, np.arange(5), frame_shift=0.02, temporal_dim=0, start=0)
    return cut


def test_a_folder_moves_with_its_recordings_and_arrays(tmp_path: Path) -> None:
    home = tmp_path / "here"
    write_cuts([add_units(make_cut(home, "a"), home)], home / "train.jsonl.gz")
    line = json.loads(gzip.decompress((home / "train.jsonl.gz").read_bytes()))
    assert line["recording"]["sources"][0]["source"] == "recordings/a.flac"
    assert line["custom"]["units"]["array"]["storage_path"] == "units"
    shutil.move(home, tmp_path / "there")
    cut = read_cuts(tmp_path / "there" / "train.jsonl.gz")[0]
    assert cut.load_audio().shape == (1, 1600)
    np.testing.assert_array_equal(cut.load_units(), np.arange(5))


def test_manifests_may_lie_beside_the_recordings_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cuts([make_cut(tmp_path / "corpus", "a")], tmp_path / "lists" / "deep" / "train.jsonl")
    line = json.loads((tmp_path / "lists" / "deep" / "train.jsonl").read_text("utf-8"))
    assert line["recording"]["sources"][0]["source"] == "../../corpus/recordings/a.flac"
    monkeypatch.chdir(tmp_path / "lists")  # reading does not depend on where one stands
    assert read_cuts(Path("deep/train.jsonl"))[0].load_audio().shape == (1, 1600)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    cuts = [make_cut(tmp_path, name, text) for name, text in (("b", "Größe\u2028\x85 'x'"), ("a", ""))]
    write_cuts(cuts, tmp_path / "cuts.jsonl.gz")
    read = read_cuts(tmp_path / "cuts.jsonl.gz")
    assert isinstance(read, CutSet)
    assert list(read) == cuts


def test_reading_and_writing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    cuts = [add_units(make_cut(tmp_path, name), tmp_path) for name in "ab"]
    write_cuts(cuts, tmp_path / "one.jsonl.gz")
    write_cuts(read_cuts(tmp_path / "one.jsonl.gz"), tmp_path / "two.jsonl.gz")
    assert (tmp_path / "one.jsonl.gz").read_bytes() == (tmp_path / "two.jsonl.gz").read_bytes()


def test_sources_that_are_no_files_stay(tmp_path: Path) -> None:
    recording = Recording("a", [AudioSource("url", [0], "https://example.org/a.flac")], 16000, 1600, 0.1)
    write_cuts([MonoCut("a", 0, 0.1, 0, recording=recording)], tmp_path / "a.jsonl")
    assert read_cuts(tmp_path / "a.jsonl")[0].recording.sources[0].source == "https://example.org/a.flac"


def test_arrays_in_memory_are_refused(tmp_path: Path) -> None:
    cut = add_units(make_cut(tmp_path, "loud"), tmp_path)
    cut.units = cut.units.move_to_memory()
    with pytest.raises(DataError, match=r"loud.*in files first"):
        write_cuts([cut], tmp_path / "a.jsonl")
    assert not (tmp_path / "a.jsonl").exists()


def test_equal_ids_are_refused(tmp_path: Path) -> None:
    cut = make_cut(tmp_path, "twice")
    with pytest.raises(DataError, match="twice"):
        write_cuts([cut, cut], tmp_path / "a.jsonl")
    assert not (tmp_path / "a.jsonl").exists()
    write_cuts([cut], tmp_path / "a.jsonl")
    (tmp_path / "a.jsonl").write_bytes((tmp_path / "a.jsonl").read_bytes() * 2)
    with pytest.raises(DataError, match="twice"):
        read_cuts(tmp_path / "a.jsonl")


def test_empty_manifests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="without cuts"):
        write_cuts([], tmp_path / "a.jsonl.gz")
    for name, content in (("a.jsonl", b"\n\n"), ("a.jsonl.gz", gzip.compress(b""))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="empty"):
            read_cuts(tmp_path / name)


@pytest.mark.parametrize(
    "content",
    [
        b"plain text",
        b"[1, 2]",
        b'{"id": "a"}',
        b'{"type": "Recording", "id": "a"}',
        b'{"type": "MonoCut"}',
        b'{"type": "MonoCut", "id": "a", "start": 0, "duration": -1, "channel": 0, "recording": 7}',
        b"\xff\xfe",
        b"\x1f\x8b broken",
    ],
)
def test_other_content_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    (tmp_path / "a.jsonl.gz").write_bytes(content)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(content))
    for name in ("a.jsonl", "a.jsonl.gz", "b.jsonl.gz"):
        with pytest.raises(DataError, match=name):
            read_cuts(tmp_path / name)


def test_missing_and_cut_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_cuts(tmp_path / "none.jsonl.gz")
    with pytest.raises(DataError, match="does not exist"):
        read_cuts(tmp_path)
    path = tmp_path / "a.jsonl.gz"
    write_cuts([make_cut(tmp_path, "a")], path)
    content = path.read_bytes()
    for keep in range(1, len(content), 11):
        path.write_bytes(content[:keep])
        with pytest.raises(DataError):
            read_cuts(path)


@given(st.text(max_size=60))
def test_any_line_is_a_cut_or_the_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("any") / "a.jsonl"
    path.write_text(text, encoding="utf-8", errors="replace")
    with pytest.raises(DataError):
        read_cuts(path)


def test_fingerprints_are_made_of_the_uncompressed_lines(tmp_path: Path) -> None:
    cut = make_cut(tmp_path, "a")
    write_cuts([cut], tmp_path / "a.jsonl")
    write_cuts([cut], tmp_path / "a.jsonl.gz")
    assert read_manifest_bytes(tmp_path / "a.jsonl") == read_manifest_bytes(tmp_path / "a.jsonl.gz")


MEBI = 1 << 20
BOMBS = {
    "zeros": (b"\0", "a line of the manifest is too long"),
    "blanks": (b"\n", "unpacks to far more than manifests do"),
    "one cut": (b'{"type": "MonoCut", "id": "a", "start": 0, "duration": 1, "channel": 0}\n', "two cuts share an id"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_small_files_that_unpack_to_very_much_are_refused_in_little_memory(tmp_path: Path, name: str) -> None:
    line, told = BOMBS[name]
    path = tmp_path / "bomb.jsonl.gz"
    # One member many times over is a gzip file: 1 GiB here.
    path.write_bytes(32 * gzip.compress(line * (32 * MEBI // len(line))))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError, match=told):
        read_cuts(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # KiB


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_lines_are_read_across_parts_of_the_file(tmp_path: Path, suffix: str) -> None:
    cuts = [
        make_cut(tmp_path, "a", text="x" * (3 * MEBI)),
        make_cut(tmp_path, "b"),
        make_cut(tmp_path, "c", "y " * MEBI),
    ]
    write_cuts(cuts, tmp_path / f"long{suffix}")
    content = read_manifest_bytes(tmp_path / f"long{suffix}")
    # Blank lines, and as much white space inside a line as a part holds.
    spaced = b"\n" * (2 * MEBI) + content.replace(b"{", b"{" + b" " * (2 * MEBI), 1) + b"\n" * (2 * MEBI)
    path = tmp_path / f"spaced{suffix}"
    path.write_bytes(gzip.compress(spaced, 1) if suffix == ".jsonl.gz" else spaced)
    read = read_cuts(path)
    assert [cut.id for cut in read] == ["a", "b", "c"]
    assert [cut.supervisions[0].text for cut in read] == [cut.supervisions[0].text for cut in cuts]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"duration": float("nan")}, "duration: Input should be a finite number"),
        ({"id": ["a"]}, "id: Input should be a valid string"),
        ({"start": -1.0}, "start: Input should be greater"),
    ],
)
def test_values_that_no_cut_has_are_told_with_their_line(tmp_path: Path, change: dict[str, object], told: str) -> None:
    write_cuts([make_cut(tmp_path, "a"), make_cut(tmp_path, "b")], tmp_path / "cuts.jsonl")
    first, second = (tmp_path / "cuts.jsonl").read_text().splitlines()
    (tmp_path / "cuts.jsonl").write_text(f"{first}\n{json.dumps({**json.loads(second), **change})}\n")
    with pytest.raises(DataError, match=rf"no valid cut in .*cuts.jsonl, line 2 \(given: {told}"):
        read_cuts(tmp_path / "cuts.jsonl")
