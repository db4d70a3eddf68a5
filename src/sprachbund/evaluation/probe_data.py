"""What linear probes learn from: clips with stored features and targets, of three tasks.

phones      the phones of a clip in their order, without silence
frames      the phone that is spoken at the middle of each frame; frames of silence, and those outside, are left out
characters  who speaks
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from lhotse.cut import Cut
from rich.console import Console
from rich.progress import track

from sprachbund.data.phones import PHONE, is_aligned, items_of
from sprachbund.errors import DataError
from sprachbund.evaluation.frozen_features import FeatureStore
from sprachbund.shapes import Array, Float, Int
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.phones import SILENCE, plain_phone

UNSEEN = -1  # the class of what no training clip has; no probe answers it
IGNORED = -100  # the class of a frame that is not judged
FRAME_SAMPLES, HALF_FRAME = 320, 200  # of the waveform front-end: samples between frames, to the middle of one


class ProbeTask(StrEnum):
    """What a probe is to tell from features."""

    PHONES = "phones"
    FRAMES = "frames"
    CHARACTERS = "characters"


@dataclass(frozen=True)
class Span:
    """A phone and its time in a cut, in seconds; for a speaker the whole cut."""

    symbol: str
    start: float
    end: float


@dataclass(frozen=True)
class LabelledCut:
    """A cut and what there is to tell of it."""

    cut: Cut
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class LabelledCuts:
    """The cuts of a set that a task can use, and how many it cannot, by reason."""

    cuts: tuple[LabelledCut, ...]
    left_out: Mapping[str, int]

    @property
    def symbols(self) -> tuple[str, ...]:
        """All that is there to be told, in the order of the alphabet: the classes, where this is a training set."""
        return tuple(sorted({span.symbol for labelled in self.cuts for span in labelled.spans}))


@dataclass(frozen=True, eq=False)
class ProbeClip:
    """One clip as the probe sees it."""

    id: str
    paths: tuple[Path, ...]  # of its features, one file a layer
    labels: Int[Array, " label"]  # phones of the clip, of its frames, or the one speaker


@dataclass(frozen=True, eq=False)
class ProbeSet:
    """Clips of one set."""

    clips: tuple[ProbeClip, ...]
    left_out: Mapping[str, int]
    seconds: float  # of audio
    frame_count: int
    unseen: int  # labels that no training clip has; they count as errors


def label_cuts(cuts: Iterable[Cut], task: ProbeTask, name: str) -> LabelledCuts:
    """What a task asks of each cut; no recording is read.

    Args:
        cuts: with phone alignments, or with one speaker each.
        task: what the probe is to tell.
        name: of the set, as errors call it.

    Raises:
        DataError: not one cut can be used.
    """
    used, left_out = list[LabelledCut](), Counter[str]()
    for cut in cuts:
        spans = _speaker_of(cut) if task is ProbeTask.CHARACTERS else _phones_of(cut)
        if isinstance(spans, str):
            left_out[spans] += 1
        else:
            used.append(LabelledCut(cut, spans))
    if not used:
        given = ", ".join(f"{count} cuts {reason}" for reason, count in sorted(left_out.items())) or "no cuts"
        mend = {
            ProbeTask.CHARACTERS: "Give a manifest whose supervisions name their speakers.",
        }.get(task, "Align the manifest first: `sprachbund tokens align`, or `sprachbund corpus import`.")
        raise DataError(f"no cut can be used for the task '{task}'", where=name, given=given, mend=mend)
    return LabelledCuts(tuple(used), dict(left_out))


def at_most_hours(labelled: LabelledCuts, hours: float) -> LabelledCuts:
    """Some of the cuts, `hours` of them at most but at least one; the order of the manifest does not matter."""
    ordered = sorted(labelled.cuts, key=lambda one: hashlib.blake2b(one.cut.id.encode(), digest_size=8).digest())
    ends = np.cumsum([float(one.cut.duration) for one in ordered])
    num_kept = max(1, int(np.searchsorted(ends, 3600 * hours, side="right")))
    kept = {one.cut.id for one in ordered[:num_kept]}
    return LabelledCuts(tuple(one for one in labelled.cuts if one.cut.id in kept), labelled.left_out)


def gather(labelled: LabelledCuts, task: ProbeTask, store: FeatureStore, classes: Sequence[str], name: str) -> ProbeSet:
    """The clips of a set with the features that `store` keeps; what is not there yet is computed.

    Args:
        labelled: the cuts and their spans.
        task: what the probe is to tell.
        store: of the features, at the rate of an encoder.
        classes: those of the training set.
        name: of the set, as errors call it.

    Raises:
        DataError: features of another rate, or no clip that can be used.
        AudioError: a recording cannot be read.
    """
    if abs(store.features.frame_shift - FRAME_SAMPLES / SAMPLING_RATE) > 1e-6:
        raise DataError(
            "a probe reads features at 50 frames a second",
            given=f"a frame every {store.features.frame_shift} s",
            mend="Give an encoder with the waveform front-end of the family.",
        )
    numbers = {symbol: number for number, symbol in enumerate(classes)}
    clips, left_out, seconds, frame_count, unseen = list[ProbeClip](), Counter(labelled.left_out), 0.0, 0, 0
    for one in track(labelled.cuts, description=f"Features of {name}", console=Console(stderr=True)):
        num_frames = store.keep(one.cut)
        labels = _labels_of(one.spans, task, num_frames, numbers)
        reason = _unusable(task, num_frames, labels)
        if reason is not None:
            left_out[reason] += 1
            continue
        clips.append(ProbeClip(one.cut.id, store.paths(one.cut), labels))
        seconds, frame_count = seconds + float(one.cut.duration), frame_count + num_frames
        unseen += int((labels == UNSEEN).sum())
    if not clips:
        given = ", ".join(f"{count} cuts {reason}" for reason, count in sorted(left_out.items()))
        raise DataError("no clip is left for the probe", where=name, given=given, mend="Give other cuts.")
    return ProbeSet(tuple(clips), dict(left_out), seconds, frame_count, unseen)


def read_features(clips: Sequence[ProbeClip]) -> tuple[Float[Array, "frame layer channel"], Int[Array, " clip"]]:
    """The features of some clips one after another, in single precision, and how many frames each clip has.

    Raises:
        DataError: a stored array is missing, damaged, or not as long as those of the other layers.
    """
    layers, lengths = [], np.zeros(len(clips), dtype=np.int64)
    for place in range(len(clips[0].paths)):
        arrays = [_load(clip.paths[place]) for clip in clips]
        counts = np.array([len(array) for array in arrays], dtype=np.int64)
        if place and not np.array_equal(counts, lengths):
            raise DataError(
                "stored features of two layers are not equally long",
                where=clips[int(np.flatnonzero(counts != lengths)[0])].paths[place],
                mend="Remove the folder of stored features and give the same command again.",
            )
        lengths = counts
        layers.append(np.concatenate(arrays).astype(np.float32))
    return np.stack(layers, axis=1), lengths


def batches(count: int, size: int, generator: np.random.Generator | None = None) -> Iterator[Int[Array, " place"]]:
    """The places 0 to `count` in groups of `size`, in an order that `generator` draws; as they are without one."""
    order = np.arange(count) if generator is None else generator.permutation(count)
    for start in range(0, count, size):
        yield order[start : start + size]


def _load(path: Path) -> Float[Array, "frame channel"]:
    try:
        array: Array = np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(
            "stored features cannot be read", where=path, given=error, mend="Give the same command again."
        ) from error
    return array


def _phones_of(cut: Cut) -> tuple[Span, ...] | str:
    """The phones of a cut in their order, or why it has none."""
    if not is_aligned(cut):
        return "without alignment"
    items = [(plain_phone(item.symbol), item) for item in items_of(cut, PHONE)]
    return tuple(Span(phone, item.start, item.end) for phone, item in items if phone != SILENCE) or "without phones"


def _speaker_of(cut: Cut) -> tuple[Span, ...] | str:
    speakers = {said.speaker for said in cut.supervisions if said.speaker}
    if len(speakers) != 1:
        return "without a speaker" if not speakers else "of several speakers"
    return (Span(str(speakers.pop()), 0.0, float(cut.duration)),)


def _labels_of(
    spans: Sequence[Span], task: ProbeTask, num_frames: int, numbers: Mapping[str, int]
) -> Int[Array, " label"]:
    if task is not ProbeTask.FRAMES:
        return np.array([numbers.get(span.symbol, UNSEEN) for span in spans], dtype=np.int64)
    middles = (HALF_FRAME + FRAME_SAMPLES * np.arange(num_frames)) / SAMPLING_RATE
    labels = np.full(num_frames, IGNORED, dtype=np.int64)
    for span in spans:
        first, last = np.searchsorted(middles, (span.start, span.end))
        labels[first:last] = numbers.get(span.symbol, UNSEEN)
    return labels


def _unusable(task: ProbeTask, num_frames: int, labels: Int[Array, " label"]) -> str | None:
    """Why a clip cannot be used, or None."""
    if num_frames == 0:
        return "shorter than a frame"
    if task is ProbeTask.CHARACTERS and labels[0] == UNSEEN:
        return "of a speaker who is not in the training set"
    if task is ProbeTask.FRAMES and (labels == IGNORED).all():
        return "without phones at the middle of a frame"
    return None
