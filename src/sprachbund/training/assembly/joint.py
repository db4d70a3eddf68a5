"""The parts of joint pre-training on speech and text."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sprachbund.data.batches.batch import Micro
from sprachbund.data.batches.collate import SpeechCollator, has_speaker_embedding
from sprachbund.data.batches.crops import NUM_SPECIALS
from sprachbund.data.batches.masking import SpanMasking
from sprachbund.data.mixture import Collator
from sprachbund.data.streams import Stream, TextStream
from sprachbund.models.speecht5.config import SpeechT5Config
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.objectives.joint_pretraining import JointPretraining
from sprachbund.tokens.phone_labels import UnitLabels, load_unit_labels
from sprachbund.tokens.text import load_tokenizer
from sprachbund.training.assembly.initial import sized
from sprachbund.training.assembly.parts import Assembly, Say
from sprachbund.training.assembly.speech import (
    augmenter_of,
    cut_stream,
    held_out_cuts,
    labelled_clips,
    labelled_crops,
    spans,
)
from sprachbund.training.assembly.text import encode_lines, first_lines, text_batch_tokens, text_collator
from sprachbund.training.speech_recipes import PretrainingRecipe


def assemble_pretraining(recipe: PretrainingRecipe, say: Say) -> Assembly:
    """SpeechT5 and its streams of speech and text."""
    tokenizer, units = load_tokenizer(recipe.tokenizer), load_unit_labels(recipe.units)
    config = sized(
        SpeechT5Config, recipe.model, vocab_size=len(tokenizer.vocabulary), num_units=units.num_units + NUM_SPECIALS
    )
    config = replace(config, unit_rate=float(units.label_rate))
    model = SpeechT5(config)
    streams: dict[str, Stream] = {}
    collators: dict[str, Collator] = {}
    held_out: list[Micro] = []
    seed, limit = recipe.run.seed, recipe.run.valid_clips
    if recipe.speech is not None:
        cuts = labelled_clips(recipe.speech, units, say)
        _tell_about_speakers(cuts, config.speaker_dim, say)
        streams["speech"] = cut_stream(cuts, recipe.speech, seed)
        collator = _speech_collator(recipe, config, units)
        collators["speech"] = replace(collator, augmenter=augmenter_of(recipe, cuts, say))
        held_out += held_out_cuts(recipe.speech, collator, "speech", limit, say)[1]
    if recipe.text is not None:
        tokens = text_batch_tokens(recipe)
        jobs = max(1, recipe.run.loader_workers)
        train = encode_lines(recipe.text.train, recipe.text.max_tokens, recipe.tokenizer, say, jobs=jobs)
        streams["text"] = TextStream(train, tokens, seed=seed)
        collators["text"] = text_collator(recipe.text, tokenizer, recipe)
        if recipe.text.valid:
            valid = encode_lines(recipe.text.valid, recipe.text.max_tokens, recipe.tokenizer, say, jobs=jobs)
            plans = TextStream(first_lines(valid, limit), tokens, shuffle=False).plans(0)
            held_out += [{"text": collators["text"](plan, 0)} for plan in plans]
    facts = {"stage": "pretraining", "unit_model": units.fingerprint, "num_units": units.num_units}
    return Assembly(
        JointPretraining(model, recipe.objective), model, tokenizer, streams, collators, held_out, (), facts
    )


def _speech_collator(recipe: PretrainingRecipe, config: SpeechT5Config, units: UnitLabels) -> SpeechCollator:
    assert recipe.speech is not None
    masking = spans(recipe.masking.time, recipe.masking.time_length, 2, recipe.masking)
    return SpeechCollator(
        seed=recipe.run.seed,
        crops=labelled_crops(recipe.speech, units),
        masking=masking or SpanMasking(probability=0.0, min_masks=0),
        codebook_probability=recipe.masking.codebook,
        speaker_dim=config.speaker_dim or 0,
        is_normalized=config.is_normalized,
    )


def _tell_about_speakers(cuts: Iterable[Any], dim: int | None, say: Say) -> None:
    without = sum(not has_speaker_embedding(cut) for cut in cuts)
    if dim and without:
        say(f"{without} clips bring no speaker vector: a vector of zeros takes its place.")
