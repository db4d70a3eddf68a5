import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lhotse import CutSet, MonoCut, Recording
from lhotse.audio import AudioSource
from threadpoolctl import threadpool_limits

import tiny
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.data.units import Shard, attach_units, fewest_labels, find_units, fit_units, load_units, num_labels
from sprachbund.errors import AudioError, DataError, RecipeError, VocabularyError
from sprachbund.lengths import frames_from_samples
from sprachbund.models.stored_features import StoredEncoderFeatures
from sprachbund.shapes import Array
from sprachbund.signal.audio import write_audio
from sprachbund.tokens.units import UnitModel

LENGTHS = (16_000, 11_111, 8_079, 4_801, 400)


def noise(num_samples: int, seed: int) -> Array:
    """Noise whose colour changes every tenth of a second."""
    generator = np.random.default_rng(seed)
    waves = (
        generator.standard_normal(num_samples)
        * np.repeat(generator.random(num_samples // 1600 + 1), 1600)[:num_samples]
    )
    return (0.1 * np.convolve(waves, generator.random(5), mode="same")).astype(np.float32)


@pytest.fixture
def cuts(tmp_path: Path) -> CutSet:
    made = []
    for number, num_samples in enumerate(LENGTHS):
        path = tmp_path / "here" / "audio" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_audio(path, noise(num_samples, number), 16_000)
        source = AudioSource(type="file", channels=[0], source=str(path))
        recording = Recording(f"r{number}", [source], 16_000, num_samples, num_samples / 16_000)
        made.append(MonoCut(f"speech/{number}", 0.0, recording.duration, 0, recording=recording))
    return CutSet.from_cuts(made)


@pytest.fixture
def model(cuts: CutSet) -> UnitModel:
    return fit_units(cuts, 8, seed=1)


def test_fitting_does_not_depend_on_the_order_of_cuts(cuts: CutSet, model: UnitModel) -> None:
    assert (model.feature, model.num_channels, model.num_units, model.label_rate) == ("mfcc", 39, 8, 100.0)
    assert fit_units(CutSet.from_cuts(reversed(list(cuts))), 8, seed=1) == model


def test_every_cut_has_labels_for_all_of_its_frames(cuts: CutSet, model: UnitModel, tmp_path: Path) -> None:
    for cut in attach_units(cuts, model, tmp_path / "units"):
        units = load_units(cut, model.fingerprint)
        assert len(units) >= 2 * frames_from_samples(cut.num_samples)
        assert len(units) <= cut.num_samples // 160 + 1
        assert units.min() >= 0
        assert units.max() < model.num_units
        assert cut.custom["units_fingerprint"] == model.fingerprint
    assert all("units" not in (cut.custom or {}) for cut in cuts)


def test_units_are_those_of_the_cut_alone(cuts: CutSet, model: UnitModel, tmp_path: Path) -> None:
    together = list(attach_units(cuts, model, tmp_path / "together"))
    alone = list(attach_units(CutSet.from_cuts(list(cuts)[2:3]), model, tmp_path / "alone"))
    assert np.array_equal(load_units(together[2], model.fingerprint), load_units(alone[0], model.fingerprint))


def test_a_part_of_a_cut_has_its_part_of_the_units(cuts: CutSet, model: UnitModel, tmp_path: Path) -> None:
    cut = next(iter(attach_units(cuts, model, tmp_path / "units")))
    whole = load_units(cut, model.fingerprint)
    part = load_units(cut.truncate(offset=0.2, duration=0.5), model.fingerprint)
    assert np.array_equal(part, whole[20:70])


def test_a_cut_from_the_middle_of_a_recording_is_labelled_in_place(
    cuts: CutSet, model: UnitModel, tmp_path: Path
) -> None:
    middle = next(iter(cuts)).truncate(offset=0.25, duration=0.5)
    assert np.array_equal(read_waveform(middle), read_waveform(next(iter(cuts)))[4000:12_000])
    labelled = next(iter(attach_units(CutSet.from_cuts([middle]), model, tmp_path / "units")))
    assert len(load_units(labelled, model.fingerprint)) >= 2 * frames_from_samples(8000)
    inner = labelled.truncate(offset=0.1, duration=0.2)
    assert np.array_equal(load_units(inner, model.fingerprint), load_units(labelled, model.fingerprint)[10:30])


def test_another_unit_model_is_refused(cuts: CutSet, model: UnitModel, tmp_path: Path) -> None:
    cut = next(iter(attach_units(cuts, model, tmp_path / "units")))
    other = fit_units(cuts, 8, seed=2)
    with pytest.raises(VocabularyError, match="another unit model"):
        load_units(cut, other.fingerprint)
    with pytest.raises(VocabularyError, match="no units"):
        load_units(next(iter(cuts)), model.fingerprint)


def test_units_travel_with_the_manifest(cuts: CutSet, model: UnitModel, tmp_path: Path) -> None:
    labelled = attach_units(cuts, model, tmp_path / "here" / "units")
    expected = [load_units(cut, model.fingerprint) for cut in labelled]
    write_cuts(labelled, tmp_path / "here" / "cuts.jsonl.gz")
    (tmp_path / "here").replace(tmp_path / "there")
    read = list(read_cuts(tmp_path / "there" / "cuts.jsonl.gz"))
    assert len(read) == len(expected)
    for cut, units in zip(read, expected, strict=True):
        assert np.array_equal(load_units(cut, model.fingerprint), units)


def test_stored_units_are_kept_and_damaged_ones_made_anew(cuts: CutSet, model: UnitModel, tmp_path: Path) -> None:
    first = attach_units(cuts, model, tmp_path / "units")
    paths = sorted((tmp_path / "units").rglob("*.npy"))
    assert len(paths) == len(LENGTHS)
    before = {path: path.stat().st_mtime_ns for path in paths}
    content = paths[0].read_bytes()
    paths[0].write_bytes(content[:-3])
    second = attach_units(cuts, model, tmp_path / "units")
    assert paths[0].read_bytes() == content
    assert all(path.stat().st_mtime_ns == before[path] for path in paths[1:])
    assert [cut.units for cut in first] == [cut.units for cut in second]


def test_a_lost_array_is_told(cuts: CutSet, model: UnitModel, tmp_path: Path) -> None:
    cut = next(iter(attach_units(cuts, model, tmp_path / "units")))
    for path in (tmp_path / "units").rglob("*.npy"):
        path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        load_units(cut, model.fingerprint)


def test_cuts_without_a_file_are_refused(cuts: CutSet, model: UnitModel, tmp_path: Path) -> None:
    padded = CutSet.from_cuts([next(iter(cuts)).pad(duration=2.0)])
    with pytest.raises(DataError, match="no recording in one file"):
        attach_units(padded, model, tmp_path / "units")
    (tmp_path / "here" / "audio" / "0.wav").unlink()
    with pytest.raises(AudioError):
        fit_units(cuts, 8)
    assert not (tmp_path / "units").exists()


def test_units_of_other_features_are_refused(cuts: CutSet, model: UnitModel, tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="one of other features"):
        attach_units(cuts, UnitModel(model.centroids, "hubert"), tmp_path / "units")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.npy"))}


@given(st.integers(1, 12), st.integers(0, 40))
def test_shards_part_the_cuts_evenly(count: int, num_cuts: int) -> None:
    cuts = CutSet.from_cuts([MonoCut(f"c{number}", 0.0, 1.0, 0) for number in range(num_cuts)])
    parts = [[cut.id for cut in Shard(number, count).of(cuts)] for number in range(1, count + 1)]
    assert sorted(identity for part in parts for identity in part) == sorted(cut.id for cut in cuts)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["0/8", "9/8", "3", "3/", "/8", "3/8/1", "-1/8", "1/0", "³/8", "3 / 8", "", "1e1/8"])
def test_shards_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="shard"):
        Shard.parse(text)


def test_a_shard_is_read_as_it_is_written() -> None:
    assert Shard.parse("3/8") == Shard(3, 8)
    assert Shard.parse(str(Shard(12, 12))) == Shard(12, 12)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_any_number_of_shards_gives_the_same_units(cuts: CutSet, model: UnitModel, tmp_path: Path, count: int) -> None:
    whole = list(attach_units(cuts, model, tmp_path / "whole"))
    assert find_units(cuts, model, tmp_path / "parts") is None
    for number in range(count, 0, -1):
        part = attach_units(Shard(number, count).of(cuts), model, tmp_path / "parts")
        # Shards beyond the number of cuts have none.
        assert len(part) == len(range(number - 1, len(LENGTHS), count))
        assert (find_units(cuts, model, tmp_path / "parts") is None) == (number > 1)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    found = find_units(cuts, model, tmp_path / "parts")
    assert found is not None
    for one, other in zip(whole, found, strict=True):
        assert one.units.array.shape == other.units.array.shape
        assert np.array_equal(load_units(one, model.fingerprint), load_units(other, model.fingerprint))


def test_any_number_of_processes_gives_the_same_units(cuts: CutSet, model: UnitModel, tmp_path: Path) -> None:
    one, two = (attach_units(cuts, model, tmp_path / str(jobs), jobs=jobs) for jobs in (1, 2))
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    assert [cut.units.array.shape for cut in one] == [cut.units.array.shape for cut in two]
    assert fit_units(cuts, 8, seed=1, jobs=2) == model


def test_units_do_not_depend_on_the_threads_of_the_machine(cuts: CutSet, model: UnitModel, tmp_path: Path) -> None:
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            attach_units(cuts, model, tmp_path / str(threads))
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_units_of_a_layer_are_fitted_assigned_and_checked(cuts: CutSet, tmp_path: Path) -> None:
    """The same whatever the processes, the shards and the order; a clip shorter than a frame has none."""
    reader = StoredEncoderFeatures(tiny.write_hubert_folder(tmp_path / "model"), 2)
    model = fit_units(cuts, 5, reader=reader)
    assert (model.feature, model.label_rate, model.num_channels) == (reader.name, 50.0, 32)
    backwards = CutSet.from_cuts(reversed(list(cuts)))
    assert fit_units(backwards, 5, reader=reader) == model
    short = cuts.subset(last=1)[0].truncate(duration=0.02, preserve_id=True)
    every = CutSet.from_cuts([*cuts.subset(first=4), short])
    whole = attach_units(every, model, tmp_path / "whole", reader=reader)
    assert [num_labels(cut) for cut in whole] == [frames_from_samples(cut.num_samples) for cut in every]
    assert num_labels(whole[short.id]) == len(load_units(whole[short.id], model.fingerprint)) == 0
    attach_units(every, model, tmp_path / "jobs", reader=reader, jobs=2)
    for number in (2, 3, 1):
        attach_units(Shard(number, 3).of(every), model, tmp_path / "shards", reader=reader)
    assert contents(tmp_path / "whole") == contents(tmp_path / "jobs") == contents(tmp_path / "shards")
    for cut in whole:
        expected = model.assign(reader(read_waveform(cut)))
        assert np.array_equal(load_units(cut, model.fingerprint), expected)


def test_units_of_another_rate_are_refused(cuts: CutSet, model: UnitModel, tmp_path: Path) -> None:
    slower = UnitModel(model.centroids, "mfcc", 0.02)
    labelled = next(iter(attach_units(cuts, model, tmp_path / "units")))
    with pytest.raises(VocabularyError, match="another unit model"):
        load_units(labelled, slower.fingerprint)
    with pytest.raises(VocabularyError, match="one of other features"):
        attach_units(cuts, slower, tmp_path / "units")


MEMORY = """
import resource, sys
import numpy as np
from sprachbund.tokens.units import UnitModel

channels, seconds = 768, 20  # of a clip
pool = np.random.default_rng(0).standard_normal((30_000, channels), dtype=np.float32)
def features():
    for clip in range(10 * 3600 // seconds):
        start = clip * 7 % (len(pool) - 50 * seconds)
        yield f"clip-{clip}", pool[start : start + 50 * seconds] + np.float32(clip % 13)
UnitModel.fit(features(), 20, feature="any", frame_shift=0.02)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_ten_hours_of_features_take_less_than_a_gigabyte() -> None:
    """5.5 GB of them: 50 frames a second of 768 channels. The pool that they are drawn from is counted too."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 0.9e9


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"no array at all"])
def test_arrays_that_are_none_are_told_and_made_anew(
    cuts: CutSet, model: UnitModel, tmp_path: Path, content: bytes
) -> None:
    cut = next(iter(attach_units(cuts, model, tmp_path / "units")))
    before = contents(tmp_path / "units")
    for path in (tmp_path / "units").rglob("*.npy"):
        path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        load_units(cut, model.fingerprint)
    assert find_units(cuts, model, tmp_path / "units") is None
    attach_units(cuts, model, tmp_path / "units")
    assert contents(tmp_path / "units") == before


@given(st.integers(0, 10**7))
def test_two_labels_a_frame_at_100_a_second_and_one_at_50(num_samples: int) -> None:
    frames = frames_from_samples(num_samples)
    assert fewest_labels(num_samples, 100.0) == 2 * frames
    assert fewest_labels(num_samples, 50.0) == frames
