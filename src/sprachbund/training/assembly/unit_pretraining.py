"""The parts of pre-training SpeechLM and SpeechUT: speech with units, units with text, and units alone."""

from dataclasses import dataclass, replace
from typing import Any

from sprachbund.checkpoints.store import StoredModel, load_model
from sprachbund.config import merge
from sprachbund.data.batches.batch import Micro
from sprachbund.data.batches.crops import NUM_SPECIALS
from sprachbund.data.batches.masking import SpanMasking
from sprachbund.data.batches.mixed import MixedUnitCollator
from sprachbund.data.batches.spectrogram_targets import FRAME_RATE
from sprachbund.data.batches.unit_text import UnitLinesCollator, UnitTextCollator
from sprachbund.data.mixture import Collator
from sprachbund.data.streams import Stream
from sprachbund.data.text.memory import TOKENS, UNITS, ChainedLines
from sprachbund.data.unit_streams import PairedStream, UnitStream
from sprachbund.errors import CheckpointError, RecipeError
from sprachbund.models.speech_units.model import SpeechUnitModel
from sprachbund.models.table import MODELS, build_model
from sprachbund.objectives.unit_pretraining import UnitPretraining
from sprachbund.tokens.phone_labels import PhoneLabels, UnitLabels, load_unit_labels
from sprachbund.tokens.text import TextTokenizer, load_tokenizer
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
from sprachbund.training.assembly.unit_text import first_items, pairs_of, spoken_units, units_alone
from sprachbund.training.unit_recipes import MonoConfig, UnitPretrainingRecipe, UnitSpanConfig

SPEECH, PAIRED, ALONE = "speech", "paired", "units"


@dataclass(frozen=True)
class _Part:
    """One stream of a run."""

    stream: Stream
    collator: Collator
    held_out: list[Micro]
    facts: dict[str, Any]


def assemble_unit_pretraining(recipe: UnitPretrainingRecipe, say: Say) -> Assembly:
    """SpeechLM or SpeechUT, and the streams of every step."""
    tokenizer, labels = load_tokenizer(recipe.tokenizer), load_unit_labels(recipe.units)
    model = _model(recipe, tokenizer, labels)
    parts = {SPEECH: _speech(recipe, model, labels, say), PAIRED: _pairs(recipe, labels, say)}
    if recipe.mono is not None:
        parts[ALONE] = _units(recipe, recipe.mono, labels, say)
    facts: dict[str, Any] = {
        "stage": "unit pretraining",
        "init": None if recipe.init is None else str(recipe.init),
        "unit_model": labels.fingerprint,
        "unit_feature": labels.feature,
        "num_units": labels.num_units,
    }
    if isinstance(labels, PhoneLabels):
        facts["phones"] = " ".join(labels.symbols)
    for part in parts.values():
        facts |= part.facts
    return Assembly(
        UnitPretraining(model, recipe.objective),
        model,
        tokenizer,
        {name: part.stream for name, part in parts.items()},
        {name: part.collator for name, part in parts.items()},
        [micro for part in parts.values() for micro in part.held_out],
        (),
        facts,
    )


def batch_units(recipe: UnitPretrainingRecipe, units_per_frame: float) -> int:
    """Units of a micro-batch: a share of the frames of its speech, as published."""
    return max(1, int(recipe.speech.batch_seconds * FRAME_RATE * units_per_frame))


def _speech(recipe: UnitPretrainingRecipe, model: SpeechUnitModel, labels: UnitLabels, say: Say) -> _Part:
    config, masking, mixing = model.config, recipe.masking, recipe.mixing
    cuts = labelled_clips(recipe.speech, labels, say)
    collator = MixedUnitCollator(
        seed=recipe.run.seed,
        crops=labelled_crops(recipe.speech, labels),
        masking=spans(masking.time, masking.time_length, 2, masking) or SpanMasking(probability=0.0, min_masks=0),
        channel_masking=spans(masking.channel, masking.channel_length, 0, masking),
        num_channels=config.encoder.dim,
        is_normalized=config.is_normalized,
        mixing=spans(mixing.probability, mixing.length, 2, masking),
    )
    _, held_out = held_out_cuts(recipe.speech, collator, SPEECH, recipe.run.valid_clips, say)
    training = replace(
        collator,
        augmenter=augmenter_of(recipe, cuts, say),
        labels_per_frame=int(labels.label_rate) // FRAME_RATE,
    )
    return _Part(cut_stream(cuts, recipe.speech, recipe.run.seed), training, held_out, {})


def _pairs(recipe: UnitPretrainingRecipe, labels: UnitLabels, say: Say) -> _Part:
    config, seed, jobs = recipe.paired, recipe.run.seed, max(1, recipe.run.loader_workers)
    collator = UnitTextCollator(seed=seed, masking=_unit_spans(config.masking, recipe))
    size = batch_units(recipe, config.units_per_frame)
    lines = pairs_of(config.train, config, labels, recipe.tokenizer, say, jobs=jobs)
    held_out: list[Micro] = []
    if config.valid:
        valid = pairs_of(config.valid, config, labels, recipe.tokenizer, say, jobs=jobs)
        chosen = first_items(valid, (UNITS, TOKENS), recipe.run.valid_clips)
        held_out = [{PAIRED: collator(plan, 0)} for plan in PairedStream(chosen, size, shuffle=False).plans(0)]
    return _Part(PairedStream(lines, size, seed=seed), collator, held_out, {"pairs": len(lines)})


def _units(recipe: UnitPretrainingRecipe, config: MonoConfig, labels: UnitLabels, say: Say) -> _Part:
    """Units of held-out speech are held out here too, where those of speech are learned."""
    seed, size = recipe.run.seed, batch_units(recipe, config.units_per_frame)
    collator = UnitLinesCollator(seed=seed, masking=_unit_spans(config.masking, recipe))
    sources = units_alone(config, labels, say, jobs=max(1, recipe.run.loader_workers))
    shares = None if config.speech_share is None else (config.speech_share, 1 - config.speech_share)
    held_out: list[Micro] = []
    if config.speech and recipe.speech.valid:
        valid = ChainedLines([spoken_units(manifest, config, labels).lines for manifest in recipe.speech.valid])
        chosen = first_items(valid, (UNITS,), recipe.run.valid_clips)
        held_out = [{ALONE: collator(plan, 0)} for plan in UnitStream([chosen], size, shuffle=False).plans(0)]
    stream = UnitStream(sources, size, shares=shares, seed=seed)
    return _Part(stream, collator, held_out, {"units_alone": len(stream)})


def _unit_spans(config: UnitSpanConfig, recipe: UnitPretrainingRecipe) -> SpanMasking | None:
    return spans(config.probability, config.length, 2, recipe.masking)


def _model(recipe: UnitPretrainingRecipe, tokenizer: TextTokenizer, labels: UnitLabels) -> SpeechUnitModel:
    """The model to begin with; its dictionaries and its rate are those of the recipe's tokenizer and units."""
    fields = {
        "vocab_size": len(tokenizer.vocabulary),
        "num_units": labels.num_units + NUM_SPECIALS,
        "unit_rate": labels.label_rate,
    }
    if given := sorted({*fields, "num_top_units"} & set(recipe.model.changes)):
        raise RecipeError(
            "these fields of the model follow from tokenizer and units",
            given=f"model.changes: {', '.join(given)}",
            mend="Leave them out.",
        )
    assert recipe.model.kind is not None, "checked when the recipe was read"
    if recipe.init is not None:
        return _stored_model(load_model(recipe.init), recipe, tokenizer, labels)
    config_class, model_class = MODELS[recipe.model.kind]
    model: SpeechUnitModel = model_class(sized(config_class, recipe.model, **fields))
    return model


def _stored_model(
    stored: StoredModel, recipe: UnitPretrainingRecipe, tokenizer: TextTokenizer, labels: UnitLabels
) -> SpeechUnitModel:
    """The model of a folder, if it knows the same text and the same units."""
    faults = [
        (f"a {stored.kind}", f"a {recipe.model.kind}", stored.kind == recipe.model.kind),
        *_dictionary_faults(stored, tokenizer, labels),
    ]
    for theirs, ours, is_same in faults:
        if not is_same:
            raise CheckpointError(
                "the weights do not go with what the recipe trains on",
                where=recipe.init,
                given=f"they are of {theirs}, the recipe of {ours}",
                mend="Take the tokenizer and the units that they were trained with, or other weights.",
            )
    changed = merge(dict(stored.config), recipe.model.changes)
    model = build_model(replace(stored, config=changed), where=str(recipe.init))
    assert isinstance(model, SpeechUnitModel)
    return model


def _dictionary_faults(
    stored: StoredModel, tokenizer: TextTokenizer, labels: UnitLabels
) -> list[tuple[str, str, bool]]:
    """What a folder says of its dictionaries, what the recipe says, and whether that is the same.

    A converted folder does not know the fingerprint of its units, and its dictionary may end with ``<mask>``.
    """
    vocabulary, config = stored.tokenizer and stored.tokenizer.vocabulary, stored.config
    theirs, ours = config.get("num_units"), labels.num_units + NUM_SPECIALS
    maker = stored.facts.get("unit_model", labels.fingerprint)
    rate = float(config.get("unit_rate", labels.label_rate))
    return [
        ("another text vocabulary", f"{len(tokenizer.vocabulary)} symbols", vocabulary == tokenizer.vocabulary),
        (f"a unit dictionary of {theirs} entries", f"one of {ours}", theirs in (ours, ours + 1)),
        (f"units of {str(maker)[:16]}", f"units of {labels.fingerprint[:16]}", maker == labels.fingerprint),
        (f"{rate:g} units a second", f"{labels.label_rate:g}", rate == labels.label_rate),
    ]
