"""Clips that a recipe names, as streams, collators and held-out batches."""

import itertools
from collections.abc import Sequence
from typing import Any

from lhotse import CutSet

from sprachbund.data.batches.augmentation import Augmenter, build_augmenter, names_speaker
from sprachbund.data.batches.batch import Micro
from sprachbund.data.batches.crops import LabelledCrops
from sprachbund.data.batches.masking import SpanMasking
from sprachbund.data.mixture import Collator
from sprachbund.data.storage.shar import read_speech
from sprachbund.data.storage.waveforms import refuse_changed_speed
from sprachbund.data.streams import CutStream
from sprachbund.data.units import require_units
from sprachbund.errors import DataError
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.phone_labels import UnitLabels
from sprachbund.training.assembly.parts import Say
from sprachbund.training.recipe import SpeechRecipe
from sprachbund.training.speech_recipes import MaskingConfig, SpeechConfig


def read_clips(sources: Sequence[str], config: SpeechConfig, say: Say) -> CutSet:
    """The cuts of several manifests or Shars, without those too short to give a frame."""
    cuts = [cut for source in sources for cut in read_speech(source)]
    shortest = max(config.min_seconds, 400 / SAMPLING_RATE)
    kept = [cut for cut in cuts if cut.duration >= shortest]
    if len(kept) < len(cuts):
        say(f"{len(cuts) - len(kept)} of {len(cuts)} clips are shorter than {shortest} s and are left out.")
    if not kept:
        raise DataError("no clip is left to use", where=", ".join(sources), given=f"{len(cuts)} clips")
    if len({cut.id for cut in kept}) < len(kept):
        raise DataError("the manifests share clip ids", where=", ".join(sources), mend="Name each manifest once.")
    return CutSet.from_cuts(kept)


def labelled_clips(config: SpeechConfig, units: UnitLabels, say: Say) -> CutSet:
    """The clips to train on, all of them with units of `units`.

    Raises:
        VocabularyError: a clip has no units, or those of another unit model.
        DataError: the speed of a clip was changed after it was labelled.
    """
    cuts = read_clips(config.train, config, say)
    for cut in cuts:
        # Now, and not when the first batch is made.
        require_units(cut, units.fingerprint)
        refuse_changed_speed(cut)
    return cuts


def labelled_crops(config: SpeechConfig, units: UnitLabels) -> LabelledCrops:
    """How those clips are cropped."""
    return LabelledCrops(
        label_rate=int(units.label_rate),
        unit_fingerprint=units.fingerprint,
        max_samples=int(config.max_seconds * SAMPLING_RATE),
    )


def cut_stream(cuts: CutSet, config: SpeechConfig, seed: int, slowest: float = 1.0) -> CutStream:
    """Batches of clips, of like lengths together."""
    # Each clip may be played as slowly as this, and the batch must hold it even so.
    batch_seconds = config.batch_seconds * slowest
    return CutStream(cuts, batch_seconds, seed, config.buckets, crop_seconds=config.max_seconds)


def augmenter_of(recipe: SpeechRecipe, cuts: CutSet, say: Say) -> Augmenter | None:
    """What distorts the clips, where the recipe wants that."""
    if recipe.augmentation.babble and (unnamed := sum(not names_speaker(cut) for cut in cuts)):
        say(f"{unnamed} clips name no speaker: for babble, each counts as another's than all the rest.")
    return build_augmenter(recipe.augmentation, list(cuts), recipe.run.seed)


def held_out_cuts(
    config: SpeechConfig, collator: Collator, name: str, limit: int, say: Say
) -> tuple[tuple[Any, ...], list[Micro]]:
    """The first cuts of the held-out manifests, and the same collated."""
    if not config.valid:
        return (), []
    chosen = tuple(itertools.islice(read_clips(config.valid, config, say), limit))
    return chosen, batches_of(chosen, config, collator, name)


def batches_of(cuts: Sequence[Any], config: SpeechConfig, collator: Collator, name: str) -> list[Micro]:
    """The same cuts collated, none at all for none."""
    if not cuts:
        return []
    plans = CutStream(CutSet.from_cuts(cuts), config.batch_seconds, shuffle=False).plans(0)
    return [{name: collator(plan, 0)} for plan in plans]


def spans(probability: float, length: int, least: int, config: MaskingConfig) -> SpanMasking | None:
    """Span masks of the recipe; None at probability 0."""
    if probability <= 0:
        return None
    return SpanMasking(probability=probability, length=length, min_masks=least, equal_counts=config.equal_counts)
