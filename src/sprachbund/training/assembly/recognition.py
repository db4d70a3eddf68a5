"""The parts of fine-tuning for speech recognition."""

import itertools
from dataclasses import replace
from typing import Any

from lhotse import CutSet

from sprachbund.checkpoints.store import StoredModel, load_model
from sprachbund.config import merge
from sprachbund.data.batches.collate import TranscribedCollator, transcript_of
from sprachbund.data.streams import Stream
from sprachbund.errors import CheckpointError, DataError
from sprachbund.lengths import frames_from_samples
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.models.speecht5.config import SpeechT5Config
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.models.table import build_model
from sprachbund.objectives.recognition import Recognition
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.text import TextTokenizer, load_tokenizer
from sprachbund.training.assembly.initial import encoder_of, sized
from sprachbund.training.assembly.parts import Assembly, Say
from sprachbund.training.assembly.speech import augmenter_of, cut_stream, held_out_cuts, read_clips, spans
from sprachbund.training.recipe import RecognitionRecipe, SpeechConfig


def assemble_recognition(recipe: RecognitionRecipe, say: Say) -> Assembly:
    """A model with its transcribed speech."""
    model, tokenizer, facts = _initial_model(recipe)
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


def _initial_model(recipe: RecognitionRecipe) -> tuple[SpeechEncoder, TextTokenizer, dict[str, Any]]:
    """The model to fine-tune: that of a folder, with the recipe's changes of rates, or a new one."""
    tokenizer = None if recipe.tokenizer is None else load_tokenizer(recipe.tokenizer)
    if recipe.init is None:
        assert tokenizer is not None, "checked when the recipe was read"
        config = sized(SpeechT5Config, recipe.model, vocab_size=len(tokenizer.vocabulary), num_units=504)
        return SpeechT5(config), tokenizer, {"stage": "recognition", "init": None}
    stored = load_model(recipe.init)
    facts = {**stored.facts, "stage": "recognition", "init": str(recipe.init)}
    if stored.tokenizer is None:
        if tokenizer is None:
            raise CheckpointError(
                "the weights know no text", where=recipe.init, given=stored.kind, mend="Name a `tokenizer` too."
            )
        # Nothing is left of what the encoder learned by.
        model = encoder_of(stored, recipe.init, recipe.model, tokenizer, num_units=None, contrastive=None)
        return model, tokenizer, facts
    if tokenizer is not None:
        _check_same_vocabulary(tokenizer, stored, recipe)
    changed = merge(dict(stored.config), recipe.model.changes)
    return build_model(replace(stored, config=changed), where=str(recipe.init)), stored.tokenizer, facts


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
