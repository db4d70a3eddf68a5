"""The parts of fine-tuning for speech recognition."""

import itertools
from dataclasses import replace
from typing import Any

from lhotse import CutSet

from sprachbund.checkpoints.store import StoredModel, load_model
from sprachbund.config import merge
from sprachbund.data.batches.collate import TranscribedCollator, transcript_of
from sprachbund.data.streams import Stream
from sprachbund.errors import CheckpointError, DataError, RecipeError
from sprachbund.lengths import frames_from_samples
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.models.speech_units.config import SpeechUnitConfig
from sprachbund.models.speecht5.config import SpeechT5Config
from sprachbund.models.table import MODELS, build_model
from sprachbund.objectives.recognition import Recognition
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.text import TextTokenizer, load_tokenizer
from sprachbund.training.assembly.initial import SPEECH_KINDS, adapted, encoder_of, sized, without_units
from sprachbund.training.assembly.parts import Assembly, Say
from sprachbund.training.assembly.speech import augmenter_of, cut_stream, held_out_cuts, read_clips, spans
from sprachbund.training.speech_recipes import RecognitionRecipe, SpeechConfig


def assemble_recognition(recipe: RecognitionRecipe, say: Say) -> Assembly:
    """A model with its transcribed speech."""
    model, tokenizer, facts = _initial_model(recipe, say)
    _check_blank(recipe, model)
    collator = TranscribedCollator(
        seed=recipe.run.seed,
        tokenizer=tokenizer,
        time_masking=spans(recipe.masking.time, recipe.masking.time_length, 2, recipe.masking),
        channel_masking=spans(recipe.masking.channel, recipe.masking.channel_length, 0, recipe.masking),
        num_channels=model.config.encoder.dim,
        is_normalized=model.config.is_normalized,
    )
    cuts = read_clips(recipe.speech.train, recipe.speech, say)
    kept = _transcribable(cuts, recipe.speech, tokenizer, recipe.augmentation.fastest, say)
    training = replace(collator, augmenter=augmenter_of(recipe, kept, say))
    plain = replace(collator, time_masking=None, channel_masking=None)
    held_cuts, held_out = held_out_cuts(recipe.speech, plain, "transcribed", recipe.run.valid_clips, say)
    objective = Recognition(model, recipe.objective)
    stream = cut_stream(kept, recipe.speech, recipe.run.seed, slowest=recipe.augmentation.slowest)
    streams: dict[str, Stream] = {"transcribed": stream}
    return Assembly(objective, model, tokenizer, streams, {"transcribed": training}, held_out, held_cuts, facts)


def _initial_model(recipe: RecognitionRecipe, say: Say) -> tuple[SpeechEncoder, TextTokenizer, dict[str, Any]]:
    """The model to fine-tune: that of a folder, with the recipe's changes of rates, or a new one."""
    tokenizer = None if recipe.tokenizer is None else load_tokenizer(recipe.tokenizer)
    if recipe.init is None:
        assert tokenizer is not None, "checked when the recipe was read"
        return _new_model(recipe, len(tokenizer.vocabulary)), tokenizer, {"stage": "recognition", "init": None}
    stored = load_model(recipe.init)
    _check_kind(stored, recipe)
    facts = {**stored.facts, "stage": "recognition", "init": str(recipe.init)}
    text = tokenizer or stored.tokenizer
    if text is None:
        raise CheckpointError(
            "the weights know no text", where=recipe.init, given=stored.kind, mend="Name a `tokenizer` too."
        )
    if issubclass(MODELS[stored.kind][0], SpeechUnitConfig):
        return _unit_model(stored, recipe, text, say), text, facts
    if stored.tokenizer is None:
        # Nothing is left of what the encoder learned by.
        return encoder_of(stored, recipe.init, recipe.model, text, num_units=None, contrastive=None), text, facts
    _check_same_vocabulary(text, stored, recipe)
    changed = merge(dict(stored.config), recipe.model.changes)
    return build_model(replace(stored, config=changed), where=str(recipe.init)), stored.tokenizer, facts


def _new_model(recipe: RecognitionRecipe, num_symbols: int) -> SpeechEncoder:
    """A model of the chosen family, without what only units would teach where it can be without."""
    config_class, model_class = MODELS[recipe.model.kind or "speecht5"]
    sizes: dict[str, Any] = {"vocab_size": num_symbols, "num_units": 504 if config_class is SpeechT5Config else None}
    if issubclass(config_class, SpeechUnitConfig):
        sizes["has_ctc_head"] = recipe.objective.ctc_weight > 0
    model: SpeechEncoder = model_class(sized(config_class, recipe.model, **sizes))
    return model


def _unit_model(stored: StoredModel, recipe: RecognitionRecipe, tokenizer: TextTokenizer, say: Say) -> SpeechEncoder:
    """A model that learned by units, without them; parts for text that it lacks begin anew."""
    assert recipe.init is not None
    config = {**stored.config, "vocab_size": len(tokenizer.vocabulary)}
    config["has_ctc_head"] = recipe.objective.ctc_weight > 0
    return adapted(stored, merge(without_units(config), recipe.model.changes), tokenizer, recipe.init, say)


def _check_kind(stored: StoredModel, recipe: RecognitionRecipe) -> None:
    if stored.kind not in SPEECH_KINDS or recipe.model.kind not in (None, stored.kind):
        raise CheckpointError(
            "the model folder is of another family than is wanted",
            where=recipe.init,
            given=f"{stored.kind}, wanted {recipe.model.kind or 'one that hears speech'}",
            mend="Leave model.kind out, or name another `init`.",
        )


def _check_blank(recipe: RecognitionRecipe, model: SpeechEncoder) -> None:
    """Decoding takes the blank of the model, so training must."""
    if recipe.objective.ctc_weight and recipe.objective.blank not in (None, model.config.blank):
        raise RecipeError(
            "the CTC blank of the recipe is not that of the model",
            where="objective.blank",
            given=f"{recipe.objective.blank}, the model has {model.config.blank}",
            mend="Leave objective.blank out.",
        )


def _check_same_vocabulary(tokenizer: TextTokenizer, stored: StoredModel, recipe: RecognitionRecipe) -> None:
    if stored.tokenizer is not None and tokenizer.vocabulary != stored.tokenizer.vocabulary:
        raise CheckpointError(
            "the vocabulary of the recipe does not match the weights",
            where=recipe.tokenizer,
            given=f"{len(tokenizer.vocabulary)} symbols, the weights have {len(stored.tokenizer.vocabulary)}",
            mend=f"Leave `tokenizer` out to take the one of {recipe.init}, or start from other weights.",
        )


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
