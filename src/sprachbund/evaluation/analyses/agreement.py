"""Whether speech and units of one clip meet: the share of frames that agree on the phone.

A clip is read twice, as speech through the whole model and as units through the shared Transformer alone. A frame of
speech picks the unit of the clip whose state is nearest by the cosine. It agrees where the alignment has one phone for
the frame and for the unit that it picked. Frames without a phone are not judged.

Two figures tell what a share is worth. The chance is the expected share where the states of the units are permuted.
And as both sides have positions, a model may find the unit of the same time without hearing anything, so every clip
is judged once more with the halves of its units exchanged: what remains of the share then is owed to what is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from lhotse import CutSet

from sprachbund.data.progress import watched
from sprachbund.errors import DataError
from sprachbund.evaluation.analyses.clips import ChosenCuts, PhonedClip, SharedTransformer
from sprachbund.evaluation.analyses.phone_classes import CLASSES, class_of
from sprachbund.evaluation.error_rates import NUM_RESAMPLES, interval, resampled_rates
from sprachbund.shapes import Array, Bool, Float, Int

GROUPS = ("all", *CLASSES)


@dataclass(frozen=True)
class Agreement:
    """Of the frames of a group, those that agree, with the 95 % bootstrap interval over clips."""

    frames: int
    share: float
    low: float
    high: float
    chance: float  # expected share where the units' states are permuted within each clip
    exchanged: float  # share where the halves of the units are exchanged
    exchanged_low: float
    exchanged_high: float


@dataclass(frozen=True, eq=False)
class ClipCounts:
    """What is counted of one clip at one layer, by group."""

    frames: Int[Array, " group"]
    agreeing: Int[Array, " group"]
    expected: Float[Array, " group"]  # agreeing by chance
    exchanged: Int[Array, " group"]  # agreeing where the halves of the units are exchanged


def cosines(speech: Float[Array, "frame dim"], units: Float[Array, "unit dim"]) -> Float[Array, "frame unit"]:
    """The cosine of each state of speech with each of units."""
    product: Float[Array, "frame unit"] = unit_length(speech) @ unit_length(units).T
    return product


def unit_length(states: Float[Array, "position dim"]) -> Float[Array, "position dim"]:
    """States over their lengths, in double precision; a state of zeros stays one."""
    wide = states.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    scaled: Float[Array, "position dim"] = wide / np.where(lengths == 0, 1.0, lengths)
    return scaled


def count_clip(
    clip: PhonedClip,
    speech: Float[Array, "frame dim"],
    units: Float[Array, "unit dim"],
    exchanged: Float[Array, "unit dim"],
) -> ClipCounts:
    """The counts of a clip at a layer.

    Args:
        clip: its phones.
        speech: states of its frames.
        units: states of its units.
        exchanged: states of the units of `clip.rotated()`.

    Raises:
        VocabularyError: a symbol of the alignment is no phone.
    """
    spoken = np.array([phone is not None for phone in clip.frame_phones], dtype=bool)
    belongs = np.stack([spoken, *(_of_class(clip.frame_phones, name) for name in CLASSES)])
    agrees = _agrees(clip, speech, units)
    expected = _chances(clip)
    other = _agrees(clip.rotated(), speech, exchanged)
    return ClipCounts(
        belongs.sum(axis=1),
        (belongs & agrees).sum(axis=1),
        (belongs * expected).sum(axis=1),
        (belongs & other).sum(axis=1),
    )


def summarize(counts: Sequence[ClipCounts], *, seed: int = 0) -> dict[str, Agreement]:
    """The agreement of each group that has frames, all clips together.

    Raises:
        DataError: no frame has a phone.
    """
    found: dict[str, Agreement] = {}
    for number, group in enumerate(GROUPS):
        frames = np.array([count.frames[number] for count in counts], dtype=np.int64)
        total = int(frames.sum())
        if total == 0:
            continue
        sums = np.array(
            [(count.agreeing[number], count.exchanged[number], count.expected[number]) for count in counts]
        ).astype(np.float64)
        share, exchanged, chance = (float(value) for value in sums.sum(axis=0) / total)
        rates = resampled_rates(sums[:, :2], frames, NUM_RESAMPLES, seed)
        found[group] = Agreement(
            total,
            share,
            *interval(rates[:, 0], share),
            chance,
            exchanged,
            *interval(rates[:, 1], exchanged),
        )
    if not found:
        raise DataError("no frame has a phone", given=f"{len(counts)} clips", mend="Align the manifest anew.")
    return found


def measure_agreement(shared: SharedTransformer, chosen: ChosenCuts) -> dict[int, dict[str, Agreement]]:
    """The agreement at each shared layer, by group.

    Raises:
        AudioError: a recording cannot be read.
        DataError: units cannot be read, or no frame has a phone.
        VocabularyError: a symbol of an alignment is no phone.
    """
    counts: dict[int, list[ClipCounts]] = {layer: [] for layer in shared.layers}
    for cut in watched(CutSet.from_cuts(chosen.cuts), "Comparing"):
        clip = shared.read(cut)
        sides = (shared.speech_states(clip), shared.unit_states(clip), shared.unit_states(clip.rotated()))
        for layer, speech, units, exchanged in zip(shared.layers, *sides, strict=True):
            counts[layer].append(count_clip(clip, speech, units, exchanged))
    return {layer: summarize(found) for layer, found in counts.items()}


def agreeing_frames(clip: PhonedClip, picks: Int[Array, " frame"]) -> Bool[Array, " frame"]:
    """Whether each frame and the unit that it picked have one phone; False at frames without one."""
    return np.array(
        [
            phone is not None and phone == clip.unit_phones[pick]
            for phone, pick in zip(clip.frame_phones, picks, strict=True)
        ],
        dtype=bool,
    )


def _agrees(
    clip: PhonedClip, speech: Float[Array, "frame dim"], units: Float[Array, "unit dim"]
) -> Bool[Array, " frame"]:
    return agreeing_frames(clip, cosines(speech, units).argmax(axis=1))


def _chances(clip: PhonedClip) -> Float[Array, " frame"]:
    """The share of the clip's units that have the phone of each frame."""
    number = max(1, len(clip.unit_phones))
    shares = {phone: clip.unit_phones.count(phone) / number for phone in set(clip.frame_phones)}
    return np.array([0.0 if phone is None else shares[phone] for phone in clip.frame_phones], dtype=np.float64)


def _of_class(phones: Sequence[str | None], name: str) -> Bool[Array, " frame"]:
    return np.array([phone is not None and class_of(phone) == name for phone in phones], dtype=bool)
