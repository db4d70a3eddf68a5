"""Recordings looked at once each, in several processes: whether they can be read in full, and what is in them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console

from sprachbund.data.checking.problems import Fault
from sprachbund.data.corpora.progress import show_progress
from sprachbund.data.workers import in_processes
from sprachbund.errors import AudioError
from sprachbund.signal.audio import probe_audio
from sprachbund.signal.recordings import open_recording

FULL_SCALE = 0.99  # 8-bit recordings end at 127/128
FILES_A_PROCESS = 500  # a process takes seconds to start


@dataclass(frozen=True, slots=True)
class Sound:
    """What is in a recording; the later fields are None where only its header was read."""

    sampling_rate: int = 0
    num_channels: int = 0
    num_samples: int = 0  # of each channel
    digest: str | None = None  # of the samples, whatever file they stand in
    peak: float | None = None
    at_full_scale: float | None = None  # share of the samples
    damage: Fault | None = None  # why there is nothing else

    @property
    def seconds(self) -> float:
        """Of the whole recording."""
        return self.num_samples / self.sampling_rate


def read_sounds(paths: Sequence[str], jobs: int, *, is_quick: bool = False) -> dict[str, Sound]:
    """Every recording by its path; one block of them a process is in memory at a time.

    Args:
        paths: each once.
        jobs: processes at most; few files are read in this one.
        is_quick: believe the headers.
    """
    jobs = max(1, min(jobs, len(paths) // FILES_A_PROCESS))
    sounds = in_processes(partial(read_sound, is_quick=is_quick), paths, jobs)
    shown = show_progress(sounds, "Reading recordings", len(paths), Console(stderr=True).is_terminal)
    return dict(zip(paths, shown, strict=True))


def read_sound(path: str, *, is_quick: bool = False) -> Sound:
    """Look at one recording, block by block."""
    if not Path(path).is_file():
        return Sound(damage=Fault("missing-audio", "no such file"))
    try:
        if is_quick:
            header = probe_audio(path)
            return Sound(header.sampling_rate, header.num_channels, header.num_samples)
        return _decode(path)
    except AudioError as error:
        detail = error.what if error.given is None else f"{error.what} ({error.given})"
        return Sound(damage=Fault("unreadable-audio", detail))
    except (OSError, MemoryError) as error:
        return Sound(damage=Fault("unreadable-audio", str(error) or type(error).__name__))


def _decode(path: str) -> Sound:
    digest, num_samples, peak, at_full_scale = hashlib.blake2b(digest_size=16), 0, 0.0, 0
    with open_recording(path) as recording:
        for block in recording.blocks(0):
            loudness = np.abs(block)
            digest.update(block.tobytes())
            num_samples += len(block)
            peak = max(peak, float(loudness.max(initial=0.0)))
            at_full_scale += int(np.count_nonzero(loudness >= FULL_SCALE))
    if num_samples == 0:
        return Sound(damage=Fault("unreadable-audio", "it holds no sample"))
    share = at_full_scale / num_samples
    return Sound(recording.sampling_rate, recording.num_channels, num_samples, digest.hexdigest(), peak, share)
