"""Lhotse Shar: cuts as JSON lines, their recordings as 16-bit FLAC and their arrays as numpy files in tar archives."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from lhotse import Recording
from lhotse.array import Array as ArrayManifest
from lhotse.array import TemporalArray
from lhotse.audio import AudioSource
from lhotse.cut import Cut, MonoCut
from lhotse.shar import ArrayTarWriter, AudioTarWriter
from lhotse.utils import fastcopy

from sprachbund.data.exporters.new_folder import new_folder
from sprachbund.data.exporters.sources import source_of
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.storage.waveforms import read_source
from sprachbund.errors import DataError
from sprachbund.shapes import Array, Int

SHARD_SIZE = 1000  # cuts
SHAR = "shar"
AUDIO = "flac"


def export_shar(manifests: Sequence[Path], out: Path, shard_size: int = SHARD_SIZE) -> str:
    """Write the cuts of one manifest with all they refer to; returns what was written, in words.

    Recordings keep their rate, and their samples where these have no more than 16 bits and one channel.

    Raises:
        DataError: more than one manifest, a cut that is no plain part of a recording, or `out` is not empty.
        AudioError: a recording that cannot be read.
    """
    if len(manifests) != 1:
        raise DataError("a Shar is made of one manifest", given=f"{len(manifests)}", mend="Give each its own --out.")
    cuts = list(read_cuts(manifests[0]))
    fields = sorted({field for cut in cuts for field, value in (cut.custom or {}).items() if _is_array(value)})
    with new_folder(out) as folder:
        with ExitStack() as stack:
            audio = stack.enter_context(AudioTarWriter(f"{folder}/recording.%06d.tar", shard_size, AUDIO))
            arrays = {
                field: stack.enter_context(ArrayTarWriter(f"{folder}/{field}.%06d.tar", shard_size, "numpy"))
                for field in fields
            }
            written = [_write(cut, audio, arrays) for cut in cuts]
        starts = range(0, len(written), shard_size)
        for number, start in enumerate(starts):
            write_cuts(written[start : start + shard_size], folder / f"cuts.{number:06d}.jsonl.gz")
    held = ", ".join(["recording", *fields])
    return f"{len(cuts)} cuts in {len(starts)} shards ({held})"


def _write(cut: Cut, audio: AudioTarWriter, arrays: dict[str, ArrayTarWriter]) -> MonoCut:
    """Store what a cut refers to; the cut that then stands in the Shar."""
    source, rate = source_of(cut), cut.sampling_rate
    waveform = read_source(source, cut.start, cut.duration, rate, channel=cut.channel)
    samples: Int[Array, " sample"] = np.clip(np.rint(waveform * 32768), -32768, 32767).astype(np.int16)
    is_whole = len(samples) == round(cut.duration * rate)
    duration = cut.duration if is_whole else len(samples) / rate
    recording = Recording(cut.recording.id, [AudioSource(SHAR, [0], "")], rate, len(samples), duration)
    # Numbers of 16 bits, because the library would scale real ones by another factor than it reads them.
    audio.write(cut.id, samples[None], rate, manifest=recording)
    custom = dict(cut.custom or {})
    for field, writer in arrays.items():
        if not _is_array(custom.get(field)):
            writer.write_placeholder(cut.id)
            continue
        content = np.asarray(cut.load_custom(field))
        custom[field] = _placeholder(custom[field], content.shape)
        writer.write(cut.id, content, manifest=custom[field])
    return fastcopy(
        cut, start=0.0, duration=duration, channel=0, recording=recording, features=None, custom=custom or None
    )


def _placeholder(value: Any, shape: tuple[int, ...]) -> Any:
    array = ArrayManifest(SHAR, "", "", list(shape))
    return fastcopy(value, array=array, start=0.0) if isinstance(value, TemporalArray) else array


def _is_array(value: Any) -> bool:
    return isinstance(value, ArrayManifest | TemporalArray)
