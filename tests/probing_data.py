"""Stored features whose labels are known, made without an encoder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource
from lhotse.supervision import AlignmentItem

import tiny
from sprachbund.evaluation.probe_data import ProbeClip, ProbeSet, ProbeTask
from sprachbund.shapes import Array
from sprachbund.signal.audio import write_audio

NUM_CLASSES, NUM_CHANNELS = 4, 6
CENTRES = 3 * np.random.default_rng(0).standard_normal((NUM_CLASSES, NUM_CHANNELS))
PHONES = ("AA1", "B", "SIL", "T")
TONES = {"AA1": 300.0, "B": 900.0, "SIL": 60.0, "T": 2700.0}  # hertz


def clips(folder: Path, num_clips: int, task: ProbeTask, *, informative: Sequence[bool] = (True,), seed: int = 0):
    """Clips of 3 to 6 labels that last 2 or 3 frames each; an informative layer holds their centres, another noise."""
    generator = np.random.default_rng(seed)
    made = []
    for number in range(num_clips):
        labels = _without_repeats(generator.integers(0, NUM_CLASSES, generator.integers(4, 8)))
        if task is ProbeTask.CHARACTERS:
            labels = labels[:1]
        frames = np.repeat(labels, generator.integers(2, 4, len(labels)))
        paths = []
        for layer, is_informative in enumerate(informative):
            noise = generator.standard_normal((len(frames), NUM_CHANNELS))
            path = folder / f"{seed}-{layer}-{number}.npy"
            np.save(path, (100 + noise + CENTRES[frames] * is_informative).astype(np.float16))
            paths.append(path)
        wanted = frames if task is ProbeTask.FRAMES else labels
        made.append(ProbeClip(f"clip-{seed}-{number}", tuple(paths), wanted.astype(np.int64)))
    return made


def probe_set(made: Sequence[ProbeClip]) -> ProbeSet:
    return ProbeSet(tuple(made), {}, 1.0, 1, 0)


def _without_repeats(labels: Array) -> Array:
    return labels[np.insert(labels[1:] != labels[:-1], 0, True)]


def aligned_cuts(folder: Path, num_cuts: int, *, name: str = "clip", seed: int = 0) -> CutSet:
    """Recordings in which each phone is a tone of its own for 80 to 160 ms, aligned; two speakers take turns."""
    folder.mkdir(parents=True, exist_ok=True)
    generator, cuts = np.random.default_rng(seed), []
    for number in range(num_cuts):
        identity, place, items, waves = f"{name}-{number:03d}", 0, [], []
        speaker = ("ann", "bob")[number % 2]
        for phone in generator.choice(PHONES, 6):
            length = int(generator.integers(8, 17)) * tiny.SAMPLING_RATE // 100
            items.append(AlignmentItem(str(phone), place / tiny.SAMPLING_RATE, length / tiny.SAMPLING_RATE))
            hum = 0.2 * np.sin(2 * np.pi * (120 if speaker == "ann" else 480) * np.arange(length) / tiny.SAMPLING_RATE)
            tone = 0.4 * np.sin(2 * np.pi * TONES[str(phone)] * np.arange(length) / tiny.SAMPLING_RATE)
            waves.append(hum + tone + 0.01 * generator.standard_normal(length).clip(-3, 3))
            place += length
        path = folder / f"{identity}.wav"
        write_audio(path, np.concatenate(waves).astype(np.float32), tiny.SAMPLING_RATE)
        seconds = place / tiny.SAMPLING_RATE
        recording = Recording(identity, [AudioSource("file", [0], str(path))], tiny.SAMPLING_RATE, place, seconds)
        said = SupervisionSegment(
            identity, identity, 0.0, seconds, text="a", speaker=speaker, alignment={"phone": items}
        )
        cuts.append(MonoCut(identity, 0.0, seconds, 0, recording=recording, supervisions=[said]))
    return CutSet.from_cuts(cuts)
