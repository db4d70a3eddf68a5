"""The parts of fine-tuning for speech translation: a text decoder that writes another language."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from lhotse import CutSet

from sprachbund.checkpoints.store import load_model
from sprachbund.config import from_mapping, merge, to_mapping
from sprachbund.data.batches.collate import TranscribedCollator
from sprachbund.data.translations import with_translations
from sprachbund.errors import CheckpointError, DataError
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.models.speecht5.config import SpeechT5Config
from sprachbund.models.speechut.config import SpeechUTConfig
from sprachbund.models.table import MODELS
from sprachbund.nn.transformer import StackConfig
from sprachbund.objectives.recognition import Recognition
from sprachbund.tokens.text import TextTokenizer, load_tokenizer
from sprachbund.training.assembly.initial import adapted, sized, without_units
from sprachbund.training.assembly.parts import Assembly, Say
from sprachbund.training.assembly.speech import augmenter_of, batches_of, cut_stream, read_clips, spans
from sprachbund.training.choices import ModelChoice
from sprachbund.training.speech_recipes import TranslationRecipe

KINDS = ("speecht5", "speechlm", "speechut")
STAGE = "translation"


def assemble_translation(recipe: TranslationRecipe, say: Say) -> Assembly:
    """A model with a text decoder, and speech with its translation in the place of its transcript."""
    tokenizer = load_tokenizer(recipe.tokenizer)
    model, facts = _initial_model(recipe, tokenizer, say)
    collator = TranscribedCollator(
        seed=recipe.run.seed,
        tokenizer=tokenizer,
        time_masking=spans(recipe.masking.time, recipe.masking.time_length, 2, recipe.masking),
        channel_masking=spans(recipe.masking.channel, recipe.masking.channel_length, 0, recipe.masking),
        num_channels=model.config.encoder.dim,
        is_normalized=model.config.is_normalized,
    )
    kept = _translated(recipe.speech.train, recipe, say)
    training = replace(collator, augmenter=augmenter_of(recipe, kept, say))
    held_cuts: tuple[Any, ...] = ()
    if recipe.speech.valid:
        held_cuts = tuple(itertools.islice(_translated(recipe.speech.valid, recipe, say), recipe.run.valid_clips))
    plain = replace(collator, time_masking=None, channel_masking=None)
    held_out = batches_of(held_cuts, recipe.speech, plain, "transcribed")
    stream = cut_stream(kept, recipe.speech, recipe.run.seed, slowest=recipe.augmentation.slowest)
    facts |= {"stage": STAGE, "target": recipe.target, "init": None if recipe.init is None else str(recipe.init)}
    return Assembly(
        Recognition(model, recipe.objective),
        model,
        tokenizer,
        {"transcribed": stream},
        {"transcribed": training},
        held_out,
        held_cuts,
        facts,
    )


def _translated(sources: Sequence[str], recipe: TranslationRecipe, say: Say) -> CutSet:
    """The clips with a translation, neither too short nor too long."""
    where = ", ".join(sources)
    found = with_translations(read_clips(sources, recipe.speech, say), recipe.target, where)
    kept = [cut for cut in found.cuts if cut.duration <= recipe.speech.max_seconds]
    if found.num_without:
        say(f"{found.num_without} clips of {where} have no translation ({recipe.target}) and are left out.")
    if num_long := len(found.cuts) - len(kept):
        say(f"{num_long} clips of {where} are longer than {recipe.speech.max_seconds} s and are left out.")
    if not kept:
        raise DataError("no clip can be trained on", where=where, given=f"{len(found.cuts)} clips, all too long")
    return CutSet.from_cuts(kept)


def _initial_model(
    recipe: TranslationRecipe, tokenizer: TextTokenizer, say: Say
) -> tuple[SpeechEncoder, dict[str, Any]]:
    """The model of a folder with a decoder of this vocabulary, or a new one, and what is known of it."""
    choice, num_symbols = recipe.model, len(tokenizer.vocabulary)
    if recipe.init is None:
        return _new_model(choice, num_symbols), {}
    stored, where = load_model(recipe.init), str(recipe.init)
    if stored.kind not in KINDS:
        raise CheckpointError(
            "this model has no text decoder and cannot be given one",
            where=where,
            given=stored.kind,
            mend="Name the model folder of a SpeechT5, SpeechLM or SpeechUT.",
        )
    if choice.kind not in (None, stored.kind):
        raise CheckpointError(
            "the model folder is of another family than is wanted",
            where=where,
            given=f"{stored.kind}, wanted {choice.kind}",
            mend="Leave model.kind out, or name another `init`.",
        )
    # Whole, as a stored configuration may leave out what is usual.
    plain = to_mapping(from_mapping(MODELS[stored.kind][0], stored.config, where))
    plain["vocab_size"] = num_symbols
    if stored.kind != "speecht5":
        plain = without_units({**plain, "has_ctc_head": False})
        plain["decoder"] = plain["decoder"] or to_mapping(_decoder(choice, num_symbols))
    model = adapted(stored, merge(plain, choice.changes), tokenizer, recipe.init, say)
    return model, dict(stored.facts)


def _new_model(choice: ModelChoice, num_symbols: int) -> SpeechEncoder:
    """A model of random weights that has a text decoder and nothing of units."""
    config_class, model_class = MODELS[choice.kind or "speechut"]
    if config_class is SpeechT5Config:
        parts: dict[str, Any] = {}
    else:
        parts = {"num_units": None, "has_ctc_head": False, "decoder": _decoder(choice, num_symbols)}
    model: SpeechEncoder = model_class(sized(config_class, choice, vocab_size=num_symbols, **parts))
    return model


def _decoder(choice: ModelChoice, num_symbols: int) -> StackConfig:
    """The decoder of a SpeechUT of the chosen size."""
    config: SpeechUTConfig = getattr(SpeechUTConfig, choice.size)(num_symbols, None)
    assert config.decoder is not None, "every named size has one"
    return config.decoder
