from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse import CutSet, MonoCut, MultiCut, Recording
from lhotse.audio import AudioSource
from lhotse.cut import Cut

import tiny
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.storage.waveforms import (
    count_samples,
    read_part,
    read_source,
    read_waveform,
    refuse_changed_speed,
    require_own_recording,
)
from sprachbund.errors import AudioError, DataError
from sprachbund.shapes import Array
from sprachbund.signal.audio import read_audio, resample, write_audio

SAMPLES = (16_000, 24_000, 20_000, 9_000)
MODEST = settings(deadline=None, max_examples=25)


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> list[Cut]:
    return list(tiny.make_cuts(tmp_path_factory.mktemp("waveforms"), samples=SAMPLES))


def path_of(cut: Cut) -> Path:
    return Path(cut.recording.sources[0].source)


def power(waveform: Array) -> float:
    return float(np.mean(waveform.astype(np.float64) ** 2))


def test_a_cut_is_its_part_of_the_recording(cuts: list[Cut]) -> None:
    for cut in cuts:
        assert np.array_equal(read_waveform(cut), read_audio(path_of(cut)))
    inner = cuts[1].truncate(offset=0.25, duration=0.5).truncate(offset=0.125, duration=0.25)
    assert np.array_equal(read_waveform(inner), read_audio(path_of(cuts[1]))[6000:10_000])


def test_a_part_of_a_cut_is_that_part_of_its_waveform(cuts: list[Cut]) -> None:
    cut = cuts[1].truncate(offset=0.25, duration=1.0)
    whole = read_waveform(cut)
    assert count_samples(cut) == len(whole) == 16_000

    @MODEST
    @given(first=st.integers(0, 15_999), count=st.integers(1, 20_000))
    def check(first: int, count: int) -> None:
        assert np.array_equal(read_part(cut, first, count), whole[first : first + count])

    check()


def lhotse_changes(cuts: list[Cut]) -> dict[str, Cut]:
    """Cuts as users make them lazily; the second and third are 16 kHz like all of them."""
    one, other, third, response = cuts
    return {
        "slow": one.perturb_speed(0.9),
        "fast": one.perturb_speed(1.1),
        "part of fast": other.perturb_speed(1.1).truncate(offset=0.31, duration=0.4),
        "fast part": other.truncate(offset=0.31, duration=0.4).perturb_speed(1.1),
        "loud": one.perturb_volume(2.5),
        "room": one.reverb_rir(response.recording),
        "early room": one.reverb_rir(response.recording, early_only=True),
        "all of them": one.perturb_speed(0.9).perturb_volume(0.5).reverb_rir(response.recording),
        "resampled": one.resample(8_000).resample(16_000),
        "mixed": other.mix(one, snr=10, offset_other_by=0.2),
        "three mixed": other.mix(one, snr=10).mix(third, snr=-3, offset_other_by=0.9),
        "part of mixed": other.mix(one, snr=5).truncate(offset=0.2, duration=0.7),
        "fast mixed": other.mix(one, snr=5).perturb_speed(1.1),
        "room of mixed": other.mix(one, snr=5).reverb_rir(response.recording, rir_channels=[0]),
        "appended": one.append(other),
        "padded": one.pad(1.5),
        "padded left": one.pad(1.5, direction="left").mix(third, snr=5),
    }


# The names of the changes, without making any file.
CHANGES = (
    "slow", "fast", "part of fast", "fast part", "loud", "room", "early room", "all of them", "resampled",
    "mixed", "three mixed", "part of mixed", "fast mixed", "room of mixed", "appended", "padded", "padded left",
)  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_lazy_changes_sound_as_lhotse_makes_them(cuts: list[Cut], tmp_path: Path, name: str) -> None:
    changes = lhotse_changes(cuts)
    assert set(changes) == set(CHANGES)
    cut = changes[name]
    expected = cut.load_audio()[0]
    ours = read_waveform(cut)
    assert ours.dtype == np.float32
    assert len(ours) == len(expected) == count_samples(cut)
    np.testing.assert_allclose(ours, expected, atol=2e-6)
    # The same from the manifest, wherever it is moved together with its recordings.
    write_cuts([cut], tmp_path / "changed.jsonl.gz")
    np.testing.assert_array_equal(read_waveform(next(iter(read_cuts(tmp_path / "changed.jsonl.gz")))), ours)


def test_a_mixture_keeps_its_ratio(cuts: list[Cut]) -> None:
    speech, noise = cuts[1], cuts[2]
    mixed = read_waveform(speech.mix(noise, snr=7))
    added = (mixed - read_waveform(speech))[: count_samples(noise)]
    assert 10 * np.log10(power(read_waveform(speech)) / power(added)) == pytest.approx(7, abs=1e-3)
    together = CutSet.from_cuts([speech]).mix(CutSet.from_cuts([noise]), snr=7, mix_prob=1.0, seed=0)
    assert len(read_waveform(next(iter(together)))) == count_samples(speech)


def test_changes_are_made_at_the_recordings_own_rate(tmp_path: Path) -> None:
    native = tiny.tone(22_050, 3)
    write_audio(tmp_path / "a.wav", native, 22_050)
    cut = Recording.from_file(tmp_path / "a.wav").to_cut()
    stored = read_audio(tmp_path / "a.wav", 22_050)
    assert np.array_equal(read_waveform(cut), resample(stored, 22_050, 16_000))
    loud = read_waveform(cut.perturb_volume(0.5))
    np.testing.assert_allclose(loud, read_waveform(cut) / 2, atol=1e-6)
    slow = cut.perturb_speed(0.9)
    np.testing.assert_allclose(read_waveform(slow), resample(slow.load_audio()[0], 22_050, 16_000), atol=1e-6)
    # Lhotse's resampler is another one; what it hears above half its rate is lost.
    assert len(read_waveform(cut.resample(8_000))) == 16_000
    assert power(read_waveform(cut.resample(8_000))) < power(read_waveform(cut)) * 1.01


def test_a_cut_has_the_channel_it_names(tmp_path: Path) -> None:
    left, right = tiny.tone(8_000, 1), tiny.tone(8_000, 2)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 16_000, "FLOAT")
    write_audio(tmp_path / "b.wav", left)
    write_audio(tmp_path / "c.wav", right)
    stereo = Recording.from_file(tmp_path / "a.wav")
    sources = [AudioSource("file", [channel], str(tmp_path / name)) for channel, name in ((0, "b.wav"), (1, "c.wav"))]
    apart = Recording("d", sources, 16_000, 8_000, 0.5, [0, 1])
    for recording in (stereo, apart):
        for channel, expected in ((0, left), (1, right)):
            cut = MonoCut("x", 0.0, 0.5, channel, recording=recording)
            np.testing.assert_allclose(read_waveform(cut), expected, atol=1e-4)
        both = MultiCut("x", 0.0, 0.5, [0, 1], recording=recording)
        np.testing.assert_allclose(read_waveform(both), (left + right) / 2, atol=1e-4)
    with pytest.raises(DataError, match="channel that its recording lacks in cut x"):
        read_waveform(MonoCut("x", 0.0, 0.5, 2, recording=apart))
    # A manifest that knows of one channel means the file as it is.
    alone = Recording("e", [AudioSource("file", [0], str(tmp_path / "a.wav"))], 16_000, 8_000, 0.5)
    np.testing.assert_allclose(read_waveform(MonoCut("x", 0.0, 0.5, 0, recording=alone)), (left + right) / 2, atol=1e-6)


def test_recordings_in_memory_are_read(cuts: list[Cut]) -> None:
    source = AudioSource("memory", [0], path_of(cuts[0]).read_bytes())
    assert np.array_equal(read_source(source, 0.25, 0.5), read_waveform(cuts[0])[4_000:12_000])
    held = MonoCut("x", 0.25, 0.5, 0, recording=Recording("r", [source], 16_000, 16_000, 1.0))
    assert np.array_equal(read_waveform(held), read_waveform(cuts[0])[4_000:12_000])


@pytest.mark.parametrize("kind", ["command", "url"])
def test_commands_and_addresses_are_refused(cuts: list[Cut], tmp_path: Path, kind: str) -> None:
    trace = tmp_path / "trace"
    source = AudioSource(kind, [0], f"touch {trace}; cat {path_of(cuts[0])}")
    recording = Recording("r", [source], 16_000, 16_000, 1.0)
    with pytest.raises(DataError, match=r"neither a file nor in memory in cut x \(given: source of type " + kind):
        read_waveform(MonoCut("x", 0.0, 1.0, 0, recording=recording))
    with pytest.raises(DataError, match="impulse response from a " + kind):
        read_waveform(cuts[0].reverb_rir(recording))
    assert not trace.exists()


def test_a_cut_of_several_recordings_or_of_none_is_refused(cuts: list[Cut]) -> None:
    require_own_recording(cuts[0], "units could travel with")
    require_own_recording(cuts[0].truncate(duration=0.1), "units could travel with")
    for cut in (cuts[0].pad(duration=9.0), cuts[0].mix(cuts[1]), MonoCut("x", 0.0, 1.0, 0)):
        with pytest.raises(DataError, match=r"in one file, which units could travel with in cut .*Save mixed"):
            require_own_recording(cut, "units could travel with")


def test_what_cannot_be_read_is_told(cuts: list[Cut]) -> None:
    with pytest.raises(DataError, match="has no recording in cut"):
        read_waveform(cuts[0].drop_recording() if cuts[0].has_features else MonoCut("x", 0.0, 1.0, 0))
    gone = MonoCut("x", 0.0, 1.0, 0, recording=Recording("r", [AudioSource("file", [0], "gone.wav")], 16_000, 1, 1.0))
    with pytest.raises(AudioError, match="No such recording"):
        read_waveform(gone)
    longer: Any = MonoCut("x", 0.5, 3.0, 0, recording=cuts[0].recording)
    with pytest.raises(DataError, match=r"ends after its recording in cut x \(given: 2.500 s of 3.000 s"):
        read_waveform(longer)


def test_a_transform_that_lacks_its_library_is_told(cuts: list[Cut], monkeypatch: pytest.MonkeyPatch) -> None:
    for changed in (cuts[0].perturb_tempo(1.1), cuts[0].reverb_rir()):
        with pytest.raises(DataError, match="transform of Lhotse cannot be applied") as caught:
            read_waveform(changed)
        assert "torchaudio" in str(caught.value)
        assert "save_audios" in str(caught.value.mend)
    unknown = MonoCut("x", 0.0, 1.0, 0, recording=cuts[0].recording)
    unknown.recording = Recording(**{**cuts[0].recording.__dict__, "transforms": [{"name": "Magic", "kwargs": {}}]})
    with pytest.raises(DataError, match="Unknown transform type: Magic"):
        read_waveform(unknown)


def test_speed_and_frame_labels_do_not_go_together(cuts: list[Cut]) -> None:
    refuse_changed_speed(cuts[0])
    refuse_changed_speed(cuts[0].perturb_volume(2.0))
    for changed in (cuts[0].perturb_speed(1.1), cuts[0].perturb_tempo(0.9).truncate(duration=0.3)):
        with pytest.raises(DataError, match="changes the speed of its recording in cut"):
            refuse_changed_speed(changed)
