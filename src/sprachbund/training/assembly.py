"""Recipes -> the parts of a run: the objective with its model, the streams and collators, the held-out batches."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from lhotse import CutSet

from sprachbund.checkpoints.store import StoredModel, load_model
from sprachbund.config import from_mapping, merge, to_mapping
from sprachbund.data.batches.augmentation import Augmenter, build_augmenter, names_speaker
from sprachbund.data.batches.batch import Micro
from sprachbund.data.batches.collate import (
    SpeechCollator,
    TextCollator,
    TranscribedCollator,
    has_speaker_embedding,
    transcript_of,
)
from sprachbund.data.batches.masking import SpanMasking
from sprachbund.data.batches.text_noise import TextInfilling
from sprachbund.data.mixture import Collator
from sprachbund.data.storage.shar import read_speech
from sprachbund.data.storage.waveforms import refuse_changed_speed
from sprachbund.data.streams import CutStream, Stream, TextStream
from sprachbund.data.units import require_units
from sprachbund.errors import CheckpointError, DataError
from sprachbund.lengths import frames_from_samples
from sprachbund.models.speecht5.config import SpeechT5Config
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.models.table import build_model
from sprachbund.objectives.joint_pretraining import JointPretraining
from sprachbund.objectives.recognition import Recognition
from sprachbund.tokens.text import TextTokenizer, load_tokenizer
from sprachbund.tokens.units import UnitModel
from sprachbund.training.recipe import (
    MaskingConfig,
    ModelChoice,
    PretrainingRecipe,
    Recipe,
    RecognitionRecipe,
    SpeechConfig,
    TextConfig,
)

SAMPLING_RATE = 16000
Say = Callable[[str], None]


@dataclass(frozen=True)
class Assembly:
    """All that a run trains with."""

    objective: JointPretraining | Recognition
    model: SpeechT5
    tokenizer: TextTokenizer
    streams: dict[str, Stream]
    collators: dict[str, Collator]
    held_out: list[Micro]
    held_out_cuts: tuple[Any, ...] = ()  # to decode in validation
    facts: dict[str, Any] = field(default_factory=dict)  # written beside the weights


def assemble(recipe: Recipe, say: Say) -> Assembly:
    """Build the parts of a run; `say` is told what a user should know about the data.

    Raises:
        SprachbundError: a file of the recipe is missing or does not fit the others.
    """
    torch.manual_seed(recipe.run.seed)
    return (
        _assemble_pretraining(recipe, say)
        if isinstance(recipe, PretrainingRecipe)
        else _assemble_recognition(recipe, say)
    )


def _assemble_pretraining(recipe: PretrainingRecipe, say: Say) -> Assembly:
    tokenizer, units = load_tokenizer(recipe.tokenizer), UnitModel.load(recipe.units)
    config = _model_config(recipe.model, len(tokenizer.vocabulary), units.num_units + 4)
    config = replace(config, unit_rate=float(units.label_rate))
    model = SpeechT5(config)
    streams: dict[str, Stream] = {}
    collators: dict[str, Collator] = {}
    held_out: list[Micro] = []
    seed, limit = recipe.run.seed, recipe.run.valid_clips
    if recipe.speech is not None:
        cuts = _read_all(recipe.speech.train, recipe.speech, say)
        for cut in cuts:
            # Now, and not when the first batch is made.
            require_units(cut, units.fingerprint)
            refuse_changed_speed(cut)
        _tell_about_speakers(cuts, config.speaker_dim, say)
        streams["speech"] = _cut_stream(cuts, recipe.speech, seed)
        collator = _speech_collator(recipe, config, units)
        collators["speech"] = replace(collator, augmenter=_augmenter(recipe, cuts, say))
        held_out += _held_out_cuts(recipe.speech, collator, "speech", limit, say)[1]
    if recipe.text is not None:
        tokens = _text_batch_tokens(recipe)
        streams["text"] = TextStream(_encode(recipe.text.train, recipe.text, tokenizer, say), tokens, seed=seed)
        collators["text"] = _text_collator(recipe.text, tokenizer, recipe)
        if recipe.text.valid:
            lines = _encode(recipe.text.valid, recipe.text, tokenizer, say)[:limit]
            plans = TextStream(lines, tokens, shuffle=False).plans(0)
            held_out += [{"text": collators["text"](plan, 0)} for plan in plans]
    facts = {"stage": "pretraining", "unit_model": units.fingerprint, "num_units": units.num_units}
    return Assembly(
        JointPretraining(model, recipe.objective), model, tokenizer, streams, collators, held_out, (), facts
    )


def _assemble_recognition(recipe: RecognitionRecipe, say: Say) -> Assembly:
    model, tokenizer, facts = _initial_model(recipe)
    collator = TranscribedCollator(
        seed=recipe.run.seed,
        tokenizer=tokenizer,
        time_masking=_spans(recipe.masking.time, recipe.masking.time_length, 2, recipe.masking),
        channel_masking=_spans(recipe.masking.channel, recipe.masking.channel_length, 0, recipe.masking),
        num_channels=model.config.encoder.dim,
        is_normalized=model.config.is_normalized,
    )
    cuts = _read_all(recipe.speech.train, recipe.speech, say)
    kept = _transcribable(cuts, recipe.speech, tokenizer, recipe.augmentation.fastest, say)
    training = replace(collator, augmenter=_augmenter(recipe, kept, say))
    plain = replace(collator, time_masking=None, channel_masking=None)
    held_cuts, held_out = _held_out_cuts(recipe.speech, plain, "transcribed", recipe.run.valid_clips, say)
    objective = Recognition(model, recipe.objective)
    stream = _cut_stream(kept, recipe.speech, recipe.run.seed, slowest=recipe.augmentation.slowest)
    streams: dict[str, Stream] = {"transcribed": stream}
    return Assembly(objective, model, tokenizer, streams, {"transcribed": training}, held_out, held_cuts, facts)


def _model_config(choice: ModelChoice, vocab_size: int, num_units: int, where: str = "model") -> SpeechT5Config:
    """The chosen size with its changes."""
    sized = getattr(SpeechT5Config, choice.size)(vocab_size, num_units)
    return from_mapping(SpeechT5Config, merge(to_mapping(sized), choice.changes), where)


def _initial_model(recipe: RecognitionRecipe) -> tuple[SpeechT5, TextTokenizer, dict[str, Any]]:
    """The model to fine-tune: that of a folder, with the recipe's changes of rates, or a new one."""
    if recipe.init is None:
        assert recipe.tokenizer is not None, "checked when the recipe was read"
        tokenizer = load_tokenizer(recipe.tokenizer)
        config = _model_config(recipe.model, len(tokenizer.vocabulary), 504)
        return SpeechT5(config), tokenizer, {"stage": "recognition", "init": None}
    stored = load_model(recipe.init)
    if recipe.tokenizer is not None:
        _check_same_vocabulary(load_tokenizer(recipe.tokenizer), stored, recipe)
    changed = merge(dict(stored.config), recipe.model.changes)
    model = build_model(replace(stored, config=changed), where=str(recipe.init))
    return model, stored.tokenizer, {**stored.facts, "stage": "recognition", "init": str(recipe.init)}


def _check_same_vocabulary(tokenizer: TextTokenizer, stored: StoredModel, recipe: RecognitionRecipe) -> None:
    if tokenizer.vocabulary != stored.tokenizer.vocabulary:
        raise CheckpointError(
            "the vocabulary of the recipe does not match the weights",
            where=recipe.tokenizer,
            given=f"{len(tokenizer.vocabulary)} symbols, the weights have {len(stored.tokenizer.vocabulary)}",
            mend=f"Leave `tokenizer` out to take the one of {recipe.init}, or start from other weights.",
        )


def _read_all(sources: Sequence[str], config: SpeechConfig, say: Say) -> CutSet:
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


def _transcribable(cuts: CutSet, config: SpeechConfig, tokenizer: TextTokenizer, fastest: float, say: Say) -> CutSet:
    """Cuts neither too long nor with more text than frames (CTC wants one a token, and one between equal ones).

    Frames are counted as if each clip were played `fastest` times as fast.
    """
    kept, long, dense = [], 0, 0
    for cut in cuts:
        tokens = tokenizer.encode(transcript_of(cut))
        needed = len(tokens) + sum(first == second for first, second in itertools.pairwise(tokens))
        if cut.duration > config.max_seconds:
            long += 1
        elif not tokens or needed > frames_from_samples(round(cut.duration * SAMPLING_RATE / fastest)):
            dense += 1
        else:
            kept.append(cut)
    if long:
        say(f"{long} clips are longer than {config.max_seconds} s and are left out.")
    if dense:
        say(f"{dense} clips have no text, or more of it than frames, and are left out.")
    if not kept:
        raise DataError("no clip can be trained on", where=", ".join(config.train), given=f"{len(cuts)} clips")
    return CutSet.from_cuts(kept)


def _cut_stream(cuts: CutSet, config: SpeechConfig, seed: int, slowest: float = 1.0) -> CutStream:
    # Each clip may be played as slowly as this, and the batch must hold it even so.
    batch_seconds = config.batch_seconds * slowest
    return CutStream(cuts, batch_seconds, seed, config.buckets, crop_seconds=config.max_seconds)


def _augmenter(recipe: Recipe, cuts: CutSet, say: Say) -> Augmenter | None:
    if recipe.augmentation.babble and (unnamed := sum(not names_speaker(cut) for cut in cuts)):
        say(f"{unnamed} clips name no speaker: for babble, each counts as another's than all the rest.")
    return build_augmenter(recipe.augmentation, list(cuts), recipe.run.seed)


def _held_out_cuts(
    config: SpeechConfig, collator: Collator, name: str, limit: int, say: Say
) -> tuple[tuple[Any, ...], list[Micro]]:
    """The first cuts of the held-out manifests, and the same collated."""
    if not config.valid:
        return (), []
    chosen = tuple(itertools.islice(_read_all(config.valid, config, say), limit))
    plans = CutStream(CutSet.from_cuts(chosen), config.batch_seconds, shuffle=False).plans(0)
    return chosen, [{name: collator(plan, 0)} for plan in plans]


def _speech_collator(recipe: PretrainingRecipe, config: SpeechT5Config, units: UnitModel) -> SpeechCollator:
    assert recipe.speech is not None
    masking = _spans(recipe.masking.time, recipe.masking.time_length, 2, recipe.masking)
    return SpeechCollator(
        seed=recipe.run.seed,
        label_rate=int(units.label_rate),
        unit_fingerprint=units.fingerprint,
        masking=masking or SpanMasking(probability=0.0, min_masks=0),
        codebook_probability=recipe.masking.codebook,
        max_samples=int(recipe.speech.max_seconds * SAMPLING_RATE),
        speaker_dim=config.speaker_dim or 0,
        is_normalized=config.is_normalized,
    )


def _text_collator(text: TextConfig, tokenizer: TextTokenizer, recipe: PretrainingRecipe) -> TextCollator:
    noise = TextInfilling(
        mask_id=tokenizer.vocabulary.mask_id,
        # Random tokens are text: neither the mask nor the blank, which come last.
        vocabulary_size=len(tokenizer.vocabulary) - len(tokenizer.vocabulary.added_ids),
        word_start_ids=tokenizer.word_start_ids(),
        mask_ratio=text.mask,
        poisson_rate=text.span,
        random_ratio=text.mask_random,
    )
    return TextCollator(seed=recipe.run.seed, noise=noise, codebook_probability=recipe.masking.codebook)


def _text_batch_tokens(recipe: PretrainingRecipe) -> int:
    """Tokens of a text batch: the published share of the samples of a speech batch."""
    assert recipe.text is not None
    seconds = recipe.speech.batch_seconds if recipe.speech else SpeechConfig(train=()).batch_seconds
    return max(recipe.text.max_tokens, int(seconds * SAMPLING_RATE * recipe.text.tokens_per_sample))


def _encode(paths: Sequence[Path], config: TextConfig, tokenizer: TextTokenizer, say: Say) -> list[list[int]]:
    """Encoded lines; empty and over-long ones are counted and left out."""
    lines: list[list[int]] = []
    long = 0
    for path in paths:
        for line in _read_lines(path):
            tokens = tokenizer.encode(line)
            if len(tokens) + 2 > config.max_tokens:
                long += 1
            elif tokens:
                lines.append(tokens)
    if long:
        say(f"{long} lines of text are longer than {config.max_tokens} tokens and are left out.")
    if not lines:
        raise DataError("no line of text is left to use", where=", ".join(map(str, paths)))
    return lines


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise DataError("a text file cannot be read", where=path, given=reason, mend="Check the recipe.") from None


def _spans(probability: float, length: int, least: int, config: MaskingConfig) -> SpanMasking | None:
    if probability <= 0:
        return None
    return SpanMasking(probability=probability, length=length, min_masks=least, equal_counts=config.equal_counts)


def _tell_about_speakers(cuts: Iterable[Any], dim: int | None, say: Say) -> None:
    without = sum(not has_speaker_embedding(cut) for cut in cuts)
    if dim and without:
        say(f"{without} clips bring no speaker vector: a vector of zeros takes its place.")
