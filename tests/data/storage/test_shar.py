import itertools
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse import CutSet
from lhotse.shar import SharWriter

import serving_files
import tiny
from serving_files import FileServer
from sprachbund.config import from_mapping
from sprachbund.data.exporters.shar import export_shar
from sprachbund.data.mixture import Mixture, loader
from sprachbund.data.storage import mirror as mirror_module
from sprachbund.data.storage.fingerprint import file_fingerprint
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.storage.shar import is_shar, read_recording, read_shar, read_speech, speech_fingerprint
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.data.units import load_units
from sprachbund.errors import AudioError, DataError, SprachbundError
from sprachbund.training.assembly.assemble import assemble
from sprachbund.training.run import train
from sprachbund.training.speech_recipes import PretrainingRecipe, RecognitionRecipe

UNITS = tiny.unit_model()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPRACHBUND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(mirror_module, "PAUSE", 0.01)
    return tmp_path / "cache" / "shar"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tiny.write_corpus(tmp_path / "tiny", 5, units=UNITS)


@pytest.fixture
def folder(manifest: Path, tmp_path: Path) -> Path:
    export_shar([manifest], tmp_path / "served" / "shar", 2)
    return tmp_path / "served" / "shar"


@pytest.fixture
def server(folder: Path) -> Iterator[FileServer]:
    with serving_files.serve(folder.parent) as state:
        yield state


def assert_same(cuts: CutSet, others: CutSet) -> None:
    """Order, ids, texts, lengths, samples and units."""
    assert [cut.id for cut in cuts] == [cut.id for cut in others]
    for cut, other in zip(cuts, others, strict=True):
        assert cut.supervisions[0].text == other.supervisions[0].text
        assert cut.duration == other.duration
        assert np.array_equal(read_waveform(cut), read_waveform(other))
        assert np.array_equal(load_units(cut, UNITS.fingerprint), load_units(other, UNITS.fingerprint))


def test_a_folder_holds_what_the_manifest_does(manifest: Path, folder: Path) -> None:
    assert is_shar(folder)
    assert not is_shar(manifest)
    assert not is_shar(manifest.parent)
    assert_same(read_speech(folder), read_speech(manifest))
    part = list(read_shar(folder))[3].truncate(offset=0.2, duration=0.3)
    same = list(read_cuts(manifest))[3].truncate(offset=0.2, duration=0.3)
    assert np.array_equal(read_waveform(part), read_waveform(same))
    assert np.array_equal(load_units(part, UNITS.fingerprint), load_units(same, UNITS.fingerprint))


@pytest.mark.parametrize("shard_size", [2, None])
def test_what_lhotse_writes_is_read(manifest: Path, tmp_path: Path, shard_size: int | None) -> None:
    cuts, fields = read_cuts(manifest), {"recording": "wav", "units": "numpy"}
    (tmp_path / "theirs").mkdir()
    with SharWriter(tmp_path / "theirs", fields, shard_size) as writer:
        for cut in cuts:
            writer.write(cut)
    # Their writer rounds samples on its own, by at most one step of 16 bits.
    for cut, other in zip(read_shar(tmp_path / "theirs"), cuts, strict=True):
        assert (cut.id, cut.duration) == (other.id, other.duration)
        assert np.abs(read_waveform(cut) - read_waveform(other)).max() <= 1 / 32768
        assert np.array_equal(load_units(cut, UNITS.fingerprint), load_units(other, UNITS.fingerprint))


def test_an_address_holds_what_the_folder_does(server: FileServer, manifest: Path, cache: Path) -> None:
    address = f"{server.address}/shar/"
    assert is_shar(address)
    cuts = read_speech(address)
    # The cuts of all shards, and a look behind the last one; no archive.
    assert [path for path, _ in server.asked] == [f"/shar/cuts.{number:06d}.jsonl.gz" for number in range(5)]
    assert_same(cuts, read_cuts(manifest))
    assert [server.times(f"{field}.000001.tar") for field in ("recording", "units")] == [1, 1]
    server.asked.clear()
    assert_same(read_speech(address.rstrip("/")), read_cuts(manifest))
    assert server.asked == []
    [copy] = cache.iterdir()
    assert json.loads((copy / "shards.json").read_text())["address"] == address


def test_archives_come_when_they_are_needed(server: FileServer) -> None:
    cuts = list(read_shar(f"{server.address}/shar"))
    server.asked.clear()
    read_waveform(cuts[3])
    read_waveform(cuts[2])
    assert [path for path, _ in server.asked] == ["/shar/recording.000001.tar"]


def test_a_token_behind_the_address_goes_along(server: FileServer, manifest: Path) -> None:
    cuts = read_shar(f"{server.address}/shar?token=a%20b")
    assert_same(cuts, read_cuts(manifest))
    assert all(path.endswith("?token=a%20b") for path, _ in server.asked)


def test_a_mirrored_shar_needs_no_server(folder: Path, manifest: Path) -> None:
    with serving_files.serve(folder.parent) as state:
        address = f"{state.address}/shar"
        assert_same(read_shar(address), read_cuts(manifest))
    assert_same(read_shar(address), read_cuts(manifest))


def test_a_server_that_dies_midway(server: FileServer, manifest: Path, cache: Path) -> None:
    address = f"{server.address}/shar"
    server.breaks = [10**9, 100] + [30] * mirror_module.ATTEMPTS
    with pytest.raises(
        DataError, match=r"the server does not give a file in .*cuts.000001.jsonl.gz.*the connection ended"
    ):
        read_shar(address)
    server.breaks = []
    cuts = list(read_shar(address))
    server.breaks = [5000] * mirror_module.ATTEMPTS
    with pytest.raises(DataError, match=r"in cut clip-002, http.*recording.000001.tar.*ended after 20000 of"):
        read_waveform(cuts[2])
    assert not list(cache.rglob("recording.000001.tar"))
    server.breaks, server.asked = [], []
    assert_same(CutSet.from_cuts(cuts), read_cuts(manifest))
    assert ("/shar/recording.000001.tar", "bytes=20000-") in server.asked


def test_what_is_missing_on_the_server(server: FileServer, folder: Path) -> None:
    with pytest.raises(DataError, match=r"no Shar at this address .*neither cuts.000000.jsonl.gz nor cuts.jsonl.gz"):
        read_shar(f"{server.address}/none")
    (folder / "recording.000002.tar").unlink()
    cuts = list(read_shar(f"{server.address}/shar"))
    with pytest.raises(
        DataError, match=r"archive of the Shar is missing on the server in cut clip-004, http.*000002.tar"
    ):
        read_waveform(cuts[4])


def test_a_gap_between_shards(server: FileServer, folder: Path) -> None:
    (folder / "cuts.000001.jsonl.gz").unlink()
    with pytest.raises(DataError, match=r"a shard is missing on the server .*cuts.000001.jsonl.gz"):
        read_shar(f"{server.address}/shar")
    with pytest.raises(DataError, match=r"a shard is missing in .*number 1 of 2"):
        read_shar(folder)


def test_a_server_is_asked_only_when_a_user_named_it(server: FileServer, folder: Path) -> None:
    reference = json.dumps([f"{server.address}/shar/recording.000000.tar", "clip-000"])
    with pytest.raises(DataError, match="missing on the server"):
        read_recording(reference)
    assert server.asked == []
    read_shar(f"{server.address}/shar")
    assert read_recording(reference).startswith(b"fLaC")


def test_archives_that_are_damaged(folder: Path) -> None:
    archive = folder / "recording.000001.tar"
    content = archive.read_bytes()
    cuts = list(read_shar(folder))
    archive.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"(cut short|damaged).* in cut clip-00[23], .*recording.000001.tar"):
        for cut in cuts[2:4]:
            read_waveform(cut)
    archive.write_bytes((folder / "recording.000000.tar").read_bytes())
    with pytest.raises(DataError, match=r"no such member in cut clip-002, .*recording.000001.tar \(given: clip-002\)"):
        read_waveform(cuts[2])
    archive.unlink()
    with pytest.raises(DataError, match=r"an archive of the Shar is missing in .*recording.000001.tar"):
        read_shar(folder)
    units = folder / "units.000000.tar"
    units.write_bytes(units.read_bytes().replace(b"NUMPY", b"MUNPY"))
    with pytest.raises(SprachbundError, match=r"array of a Shar is damaged in .*units.000000.tar, clip-000"):
        load_units(cuts[0], UNITS.fingerprint)


def test_a_recording_that_is_none_is_named(folder: Path) -> None:
    archive = folder / "recording.000000.tar"
    archive.write_bytes(archive.read_bytes().replace(b"fLaC", b"none"))
    with pytest.raises(AudioError, match=r"Not a recording in .*recording.000000.tar.*clip-000"):
        read_waveform(next(iter(read_shar(folder))))


def test_references_that_are_none() -> None:
    for reference in ("", "[]", '["a"]', "{", "7", '"ab'):
        with pytest.raises(DataError):
            read_recording(reference)


@settings(deadline=None, max_examples=100)
@given(reference=st.text(max_size=20) | st.recursive(st.none() | st.text(max_size=9), st.lists).map(json.dumps))
def test_any_reference_gives_an_error_of_ours(reference: str) -> None:
    with pytest.raises(SprachbundError):
        read_recording(reference)


def test_fingerprints_follow_the_cuts(manifest: Path, folder: Path, server: FileServer) -> None:
    assert speech_fingerprint(manifest) == file_fingerprint(manifest)
    first = speech_fingerprint(folder)
    assert speech_fingerprint(f"{server.address}/shar") == first
    shard = folder / "cuts.000002.jsonl.gz"
    write_cuts([cut.with_id("other") for cut in read_cuts(shard)], shard)
    assert speech_fingerprint(folder) != first


def batches(recipe: dict[str, Any], source: str, workers: int = 0) -> list[Any]:
    """The batches of the first steps of a run."""
    kind = PretrainingRecipe if recipe["task"] == "pretraining" else RecognitionRecipe
    changed = {**recipe, "speech": {**recipe["speech"], "train": [source]}}
    parts = assemble(from_mapping(kind, changed, "test"), lambda told: None)
    steps = itertools.islice(loader(Mixture(parts.streams, parts.collators), workers), 5)
    return [batch for step in steps for micro in step.micros for batch in micro.values()]


@pytest.mark.parametrize("make", [tiny.pretraining_recipe, tiny.recognition_recipe], ids=["pretraining", "recognition"])
def test_training_sees_the_same_batches(tmp_path: Path, make: Any) -> None:
    recipe = make(tmp_path / "recipe")
    [plain] = recipe["speech"]["train"]
    export_shar([Path(plain)], tmp_path / "served" / "shar", 3)
    expected = batches(recipe, plain)
    assert len({batch.ids for batch in expected}) > 3
    with serving_files.serve(tmp_path / "served") as state, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of worker processes, about threads of this one
        for source, workers in ((str(tmp_path / "served" / "shar"), 0), (f"{state.address}/shar", 2)):
            found = batches(recipe, source, workers)
            assert [tiny.differences(*pair) for pair in zip(found, expected, strict=True)] == [[]] * len(expected)


def test_a_run_on_an_address_says_what_it_saw(tmp_path: Path) -> None:
    recipe = tiny.recognition_recipe(tmp_path / "recipe", steps=1, validate_every=1, checkpoint_every=1)
    [plain] = recipe["speech"]["train"]
    export_shar([Path(plain)], tmp_path / "served" / "shar")
    with serving_files.serve(tmp_path / "served") as state:
        address = f"{state.address}/shar"
        recipe["speech"]["train"] = [address]
        train(from_mapping(RecognitionRecipe, recipe, "test"), tmp_path / "run")
        seen = json.loads((tmp_path / "run" / "data.json").read_text())["files"]
        assert seen[address] == speech_fingerprint(address)
    assert address in (tmp_path / "run" / "recipe.yaml").read_text()
