import gc
import gzip
import io
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from lhotse import CutSet
from lhotse.cut import Cut

import commands
import importing
import tiny
from sprachbund.data.exporters.shar import export_shar
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.errors import AudioError, DataError


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tiny.write_corpus(tmp_path / "tiny", 5, units=tiny.unit_model())


def names_of(archive: Path) -> list[str]:
    with tarfile.open(archive) as opened:
        return opened.getnames()


def read_by_lhotse(folder: Path) -> list[Cut]:
    """The cuts as Lhotse reads them, with their data in memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lhotse leaves files open
        cuts = list(CutSet.from_shar(in_dir=folder))
        gc.collect()
    return cuts


def test_lhotse_reads_what_is_written(manifest: Path, tmp_path: Path) -> None:
    assert export_shar([manifest], tmp_path / "shar", 2) == "5 cuts in 3 shards (recording, units)"
    for cut, other in zip(read_cuts(manifest), read_by_lhotse(tmp_path / "shar"), strict=True):
        assert (cut.id, cut.duration, cut.start) == (other.id, other.duration, other.start)
        assert cut.supervisions[0].text == other.supervisions[0].text
        assert cut.custom["units_fingerprint"] == other.custom["units_fingerprint"]
        assert np.array_equal(other.load_audio()[0], read_waveform(cut))
        assert np.array_equal(other.load_custom("units"), cut.load_custom("units"))
    assert sorted(path.name for path in (tmp_path / "shar").iterdir()) == [
        f"{field}.{shard:06d}.{ending}"
        for field, ending in (("cuts", "jsonl.gz"), ("recording", "tar"), ("units", "tar"))
        for shard in range(3)
    ]
    assert names_of(tmp_path / "shar" / "recording.000002.tar") == ["clip-004.flac", "clip-004.json"]


def test_samples_of_16_bits_stay_what_they_are_at_any_rate(tmp_path: Path) -> None:
    samples = np.array([-32768, -32767, -20000, -1, 0, 1, 16385, 32766, 32767] * 300, dtype=np.int16)
    path = tmp_path / "speech" / "loud.wav"
    path.parent.mkdir()
    soundfile.write(path, samples, 44_100)
    importing.run("folder", path.parent, tmp_path / "listed")
    export_shar([tmp_path / "listed" / "all.jsonl.gz"], tmp_path / "shar")
    with tarfile.open(tmp_path / "shar" / "recording.000000.tar") as archive:
        member = archive.extractfile("loud.flac")
        assert member is not None
        found, rate = soundfile.read(io.BytesIO(member.read()), dtype="int16")
    assert rate == 44_100
    assert np.array_equal(found, samples)


def test_parts_bring_their_part_only(manifest: Path, tmp_path: Path) -> None:
    first = next(iter(read_cuts(manifest)))
    part = first.truncate(offset=0.1, duration=0.2).with_id("part")
    write_cuts([part], tmp_path / "part.jsonl")
    export_shar([tmp_path / "part.jsonl"], tmp_path / "shar")
    [found] = read_by_lhotse(tmp_path / "shar")
    assert (found.start, found.duration, found.recording.num_samples) == (0, 0.2, 3200)
    assert np.array_equal(found.load_audio()[0], read_waveform(part))
    assert np.array_equal(found.load_custom("units"), part.load_custom("units"))
    assert found.custom["units"].shape == [20]


def test_a_cut_without_the_array_of_others_has_a_place_all_the_same(manifest: Path, tmp_path: Path) -> None:
    first, second, *_ = read_cuts(manifest)
    second.custom = None
    write_cuts([first, second], tmp_path / "some.jsonl")
    export_shar([tmp_path / "some.jsonl"], tmp_path / "shar")
    assert names_of(tmp_path / "shar" / "units.000000.tar")[2:] == ["clip-001.nodata", "clip-001.nometa"]
    found = read_by_lhotse(tmp_path / "shar")
    assert "units" not in (found[1].custom or {})


def test_the_same_manifest_gives_the_same_bytes(manifest: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export_shar([manifest], tmp_path / name, 3)
    assert commands.fingerprints(tmp_path / "one") == commands.fingerprints(tmp_path / "two")
    with gzip.open(tmp_path / "one" / "cuts.000000.jsonl.gz", "rt") as handle:
        assert str(tmp_path) not in handle.read()


def test_what_cannot_be_written_leaves_nothing(manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="made of one manifest"):
        export_shar([manifest, manifest], tmp_path / "shar")
    first, second, *_ = read_cuts(manifest)
    write_cuts([first, first.mix(second, snr=10)], tmp_path / "mixed.jsonl")
    with pytest.raises(DataError, match="no plain part of one recording"):
        export_shar([tmp_path / "mixed.jsonl"], tmp_path / "shar")
    Path(second.recording.sources[0].source).write_bytes(b"noise")
    with pytest.raises(AudioError):
        export_shar([manifest], tmp_path / "shar")
    assert {path.name for path in tmp_path.iterdir()} == {"tiny", "mixed.jsonl"}
