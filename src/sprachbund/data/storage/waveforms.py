"""Cuts to waveforms at 16 kHz: plain parts of recordings, and whatever Lhotse lays over them lazily.

A plain cut is read by its part only. Recordings whose manifest carries transforms of Lhotse (speed, volume, impulse
responses, another rate) and mixtures of several cuts at given signal-to-noise ratios are computed as they are read.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from lhotse import MonoCut, MultiCut, Recording
from lhotse.audio import AudioSource
from lhotse.audio.mixer import AudioMixer, audio_energy
from lhotse.augmentation import AudioTransform, Resample, ReverbWithImpulseResponse, Speed, Tempo
from lhotse.cut import Cut, MixedCut, PaddingCut

from sprachbund.data.storage.shar import read_recording
from sprachbund.errors import AudioError, DataError
from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import SAMPLING_RATE, resample
from sprachbund.signal.segments import read_segment

# Seconds that a recording may be shorter than its cut says: encoders add or drop a few frames at the end.
TOLERANCE_SECONDS = 0.05

_MEND = "Save mixed, padded, changed or remote cuts as audio files first (Lhotse's `CutSet.save_audios`)."


def read_waveform(cut: Cut) -> Float[Array, " sample"]:
    """The samples of `cut` at 16 kHz, one channel: that of a ``MonoCut``, else the average.

    Raises:
        DataError: the cut has no recording that can be read here, or its recording ends long before it.
        AudioError: the recording cannot be read.
    """
    return _read_cut(cut, SAMPLING_RATE)


def read_part(cut: Cut, first: int, num_samples: int) -> Float[Array, " sample"]:
    """``read_waveform(cut)[first : first + num_samples]`` without reading the rest.

    Raises:
        DataError: as `read_waveform`.
        AudioError: the recording cannot be read, or ends before the part begins.
    """
    if first == 0 and num_samples >= count_samples(cut):
        return read_waveform(cut)
    return read_waveform(cut.truncate(offset=first / SAMPLING_RATE, duration=num_samples / SAMPLING_RATE))


def require_own_recording(cut: Cut, purpose: str) -> None:
    """Refuse a cut that is not one recording in one file, or a part of one.

    Args:
        cut: any.
        purpose: what the recording is wanted for, such as "units could travel with".

    Raises:
        DataError: it is mixed or padded, or has no recording.
    """
    if not isinstance(cut, MonoCut) or cut.recording is None:
        raise DataError(
            f"a cut has no recording in one file, which {purpose}",
            where=f"cut {cut.id}",
            given=type(cut).__name__,
            mend="Save mixed and padded cuts as audio files first.",
        )


def count_samples(cut: Cut) -> int:
    """How many samples a cut has at 16 kHz, as its manifest says."""
    return round(float(cut.duration) * SAMPLING_RATE)


def read_source(
    source: AudioSource, start: float, duration: float, sampling_rate: int = SAMPLING_RATE, channel: int | None = None
) -> Float[Array, " sample"]:
    """A part of what one source of a recording holds; here is the place for every kind of source.

    Args:
        source: a file, or the content of one in memory.
        start: seconds.
        duration: seconds.
        sampling_rate: of the result, in hertz.
        channel: one of the source's channels, by its name there; the average of all where None.

    Raises:
        DataError: the source is of another kind (a command, an address).
        AudioError: it cannot be read, or ends before the part begins.
    """
    if source.type not in ("file", "memory", "shar"):
        raise DataError(
            "a recording is neither a file nor in memory", given=f"source of type {source.type}", mend=_MEND
        )
    place = source.channels.index(channel) if channel in source.channels and len(source.channels) > 1 else None
    if source.type != "shar":
        return read_segment(source.source, start, duration, sampling_rate, channel=place)
    try:
        return read_segment(read_recording(source.source), start, duration, sampling_rate, channel=place)
    except AudioError as error:
        # Bytes have no name of their own.
        raise AudioError(error.what, where=source.source, given=error.given, mend=error.mend) from error


def refuse_changed_speed(cut: Cut) -> None:
    """Refuse a cut whose recording is played faster or slower as it is read: its frame labels would not follow.

    Raises:
        DataError: it is.
    """
    transforms = cut.recording.transforms if isinstance(cut, MonoCut) and cut.recording is not None else None
    if any(isinstance(transform, Speed | Tempo) for transform in _transforms(transforms, cut)):
        raise DataError(
            "a cut with frame labels changes the speed of its recording",
            where=f"cut {cut.id}",
            mend="Save the changed cuts as audio files (Lhotse's `CutSet.save_audios`), and label those.",
        )


def _read_cut(cut: Cut, sampling_rate: int) -> Float[Array, " sample"]:
    if isinstance(cut, PaddingCut):
        return np.zeros(round(cut.duration * sampling_rate), dtype=np.float32)
    if isinstance(cut, MixedCut):
        return _read_mixture(cut, sampling_rate)
    if not isinstance(cut, MonoCut | MultiCut) or cut.recording is None or not cut.recording.sources:
        raise DataError("a cut has no recording", where=f"cut {cut.id}", given=type(cut).__name__, mend=_MEND)
    try:
        waveform = _read_recording(cut, cut.recording, sampling_rate)
    except DataError as error:
        where = f"cut {cut.id}" if error.where is None else f"cut {cut.id}, {error.where}"
        raise DataError(error.what, where=where, given=error.given, mend=error.mend) from error
    return waveform[: round(cut.duration * sampling_rate)]


def _read_recording(cut: Any, recording: Recording, sampling_rate: int) -> Float[Array, " sample"]:
    transforms = _transforms(recording.transforms, cut)
    start, duration, rate = cut.start, cut.duration, recording.sampling_rate
    for transform in reversed(transforms):
        start, duration = transform.reverse_timestamps(start, duration, recording.sampling_rate)
        rate = transform.source_sampling_rate if isinstance(transform, Resample) else rate
    if not transforms:
        rate = sampling_rate
    # To the very end where the cut ends there, whatever became of the times by rounding.
    slack = 1e-3 if transforms and cut.end > recording.duration - 1e-3 else 0.0
    waveform = _read_channels(cut, recording.sources, (start, duration + slack, rate))
    if (missing := duration - len(waveform) / rate) > TOLERANCE_SECONDS:
        raise DataError(
            "a cut ends after its recording",
            given=f"{missing:.3f} s of {duration:.3f} s are missing",
            mend="Get the recording again, or make the manifest anew.",
        )
    for transform in transforms:
        waveform = _transformed(transform, waveform, recording.sampling_rate)
    return waveform if not transforms else resample(waveform, recording.sampling_rate, sampling_rate)


def _read_channels(cut: Any, sources: Sequence[AudioSource], part: tuple[float, float, int]) -> Float[Array, " sample"]:
    """The channel of a cut, or the average of its channels; `part` is start, duration and rate."""
    wanted = [cut.channel] if isinstance(cut.channel, int) else list(cut.channel)
    if len(sources) == 1 and set(wanted) >= set(sources[0].channels):
        return read_source(sources[0], *part)
    holding = [(source, channel) for channel in wanted for source in sources if channel in source.channels]
    if not holding:
        known = sorted(channel for source in sources for channel in source.channels)
        raise DataError("a cut names a channel that its recording lacks", given=f"{wanted} of {known}", mend=_MEND)
    waves = [read_source(source, *part, channel=channel) for source, channel in holding]
    length = min(map(len, waves))
    average: Array = np.stack([wave[:length] for wave in waves]).mean(axis=0, dtype=np.float32)
    return average


def _read_mixture(cut: MixedCut, sampling_rate: int) -> Float[Array, " sample"]:
    """The tracks of a mixture, each shifted and as loud as its signal-to-noise ratio says, by Lhotse's own mixer."""
    # Transforms of the whole are made for the rate of the manifest.
    rate = cut.sampling_rate if cut.transforms else sampling_rate
    tracks = [track for track in cut.tracks if not track.mute] or cut.tracks
    waves = [_read_cut(track.cut, rate) for track in tracks]
    reference = _reference_track(cut)
    heard = [wave for track, wave in zip(tracks, waves, strict=True) if track is reference]
    energy = audio_energy(heard[0] if heard else _read_cut(reference.cut, rate))
    mixer = AudioMixer(np.zeros((1, 0), dtype=np.float32), rate, energy)
    for track, wave in zip(tracks, waves, strict=True):
        mixer.add_to_mix(wave[None], snr=track.snr, offset=track.offset)
    mixed = _of_length(mixer.mixed_audio[0], round(cut.duration * rate))
    for transform in _transforms(cut.transforms, cut):
        mixed = _transformed(transform, mixed, rate)
    return resample(mixed, rate, sampling_rate)


def _reference_track(cut: MixedCut) -> Any:
    """The track that ratios are told against: the marked one, else the first sound without a ratio."""
    marked = [track for track in cut.tracks if track.is_snr_reference]
    plain = [track for track in cut.tracks if track.snr is None and not isinstance(track.cut, PaddingCut)]
    return [*marked, *plain, *cut.tracks][0]


def _of_length(waveform: Float[Array, " sample"], num_samples: int) -> Float[Array, " wanted"]:
    padded: Array = np.pad(waveform[:num_samples], (0, max(0, num_samples - len(waveform))))
    return padded.astype(np.float32)


def _transforms(listed: Sequence[Any] | None, cut: Cut) -> list[AudioTransform]:
    """Lhotse's objects for the transforms of a manifest; impulse responses only from files or memory."""
    try:
        transforms = [
            transform if isinstance(transform, AudioTransform) else AudioTransform.from_dict(transform)
            for transform in listed or ()
        ]
    except (AssertionError, ImportError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unusable(error, cut.id) from error
    for transform in transforms:
        response = transform.rir if isinstance(transform, ReverbWithImpulseResponse) else None
        for source in getattr(getattr(response, "recording", response), "sources", ()):
            if source.type not in ("file", "memory"):
                raise _unusable(f"an impulse response from a {source.type}", cut.id)
    return transforms


def _transformed(
    transform: AudioTransform, waveform: Float[Array, " sample"], sampling_rate: int
) -> Float[Array, " changed"]:
    try:
        changed: Array = np.asarray(transform(waveform[None], sampling_rate))
    except Exception as error:  # Lhotse, torchaudio and whatever a transform uses raise as they like
        raise _unusable(error, None) from error
    average: Array = changed.mean(axis=0, dtype=np.float32)
    return average


def _unusable(error: object, cut_id: str | None) -> DataError:
    where = None if cut_id is None else f"cut {cut_id}"
    given = str(error).strip().splitlines()[0][:200] if str(error).strip() else repr(error)
    return DataError("a transform of Lhotse cannot be applied", where=where, given=given, mend=_MEND)
