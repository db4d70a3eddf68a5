"""SpeechLM-H and SpeechUT: hidden units of all speech, and of text what a text-to-unit model makes of its phones."""

from pathlib import Path

from lhotse import CutSet

from sprachbund.config import to_mapping
from sprachbund.data.aligning.pocketsphinx_aligner import PocketSphinxAligner
from sprachbund.data.frame_reader import FrameReader
from sprachbund.data.paired_units import paired_cuts
from sprachbund.data.phonemes.lines import Drawing
from sprachbund.data.storage.fingerprint import file_fingerprint
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.text.memory import UNITS
from sprachbund.decoding.phones.pronouncing import load_guess
from sprachbund.decoding.text_to_units import UnitsOfPhones, load_unit_writer
from sprachbund.errors import RecipeError, VocabularyError
from sprachbund.experiments.labelling import fit_once, label_once, name_of
from sprachbund.experiments.preparing.checks import check_sources
from sprachbund.experiments.preparing.pairs import align_pairs, brings_phones, given_pairs
from sprachbund.experiments.preparing.plans import UnitPlan
from sprachbund.experiments.preparing.text import (
    LeftOut,
    count_pairs,
    make_phones,
    make_tokenizer,
    make_units,
    normalize_text,
    reading_of,
)
from sprachbund.experiments.preparing.workshop import PHONES, Workshop, overrides_of
from sprachbund.models.stored_features import reader_for, reader_of
from sprachbund.tokens.units import UnitModel
from sprachbund.training.recipe import load_recipe
from sprachbund.training.text_recipes import TextToUnitRecipe, UnitGenerationRecipe

MODEL, TRAINING = "text_to_unit", "train.jsonl.gz"


def prepare_units(shop: Workshop, plan: UnitPlan) -> LeftOut:
    """All stages of SpeechLM-H and SpeechUT but the last.

    Returns:
        The pairs that no training takes.

    Raises:
        SprachbundError: inputs that do not go together, or choices that differ from those of the folder.
    """
    check_sources(plan.sources, needs_pairs=plan.text_to_unit is None)
    reader = _reader(plan)
    has_places = _has_places(shop, plan)
    reading = reading_of(word_positions=has_places)
    is_given = plan.text_to_unit is not None or brings_phones(given_pairs(shop))
    aligner = None if is_given else PocketSphinxAligner(load_guess(), has_places)
    normalize_text(shop)
    make_tokenizer(shop)
    units = make_unit_model(shop, plan, reader)
    label_speech(shop, plan, units, reader)
    if plan.text_to_unit is None:
        align_pairs(shop, aligner)
    writer = plan.text_to_unit or train_text_to_unit(shop, plan, units, reader)
    make_phones(shop, Drawing(seed=plan.seed), reading, PHONES)
    make_units(shop, UnitsOfPhones.load(writer, is_reducing=plan.kind == "speechut"), PHONES)
    return count_pairs(shop, UNITS)


def make_unit_model(shop: Workshop, plan: UnitPlan, reader: FrameReader) -> UnitModel:
    """The unit model that was given, or one fitted on the speech."""
    if plan.units is None:
        speech = plan.sources.speech
        made_of = {
            "manifests": [file_fingerprint(manifest) for manifest in speech],
            "units": plan.num_units,
            "seed": plan.seed,
            "frames": reader.name,
        }
        stage = shop.stage("units", made_of)
        return fit_once(speech, plan.num_units, shop.units, reader, plan.seed, plan.jobs, stage)
    units = UnitModel.load(plan.units)
    stage = shop.stage("units", {"given": units.fingerprint})
    if not stage.is_done(lambda: UnitModel.load(shop.units).fingerprint):
        units.save(shop.units)
        stage.finish(units.fingerprint)
    return units


def label_speech(shop: Workshop, plan: UnitPlan, units: UnitModel, reader: FrameReader) -> None:
    """All speech with its units."""
    for manifest in (*plan.sources.speech, *plan.sources.valid):
        made_of = {"manifest": file_fingerprint(manifest), "units": units.fingerprint}
        stage = shop.stage(f"labelled-{name_of(manifest)}", made_of)
        label_once(manifest, shop.labelled(manifest), units, reader, plan.jobs, stage)


def train_text_to_unit(shop: Workshop, plan: UnitPlan, units: UnitModel, reader: FrameReader) -> Path:
    """The folder of a text-to-unit model that has learned from the paired part."""
    recipe, path = _recipe(shop, plan), shop.out / MODEL / TRAINING
    made_of = {"aligned": file_fingerprint(shop.aligned), "units": units.fingerprint}
    stage = shop.stage("labelled-pairs", made_of)
    label_once(shop.aligned, path, units, reader, plan.jobs, stage)
    # What is wrong with the pairs is told in words of its own before the training begins.
    paired_cuts(CutSet.from_cuts(read_cuts(path)), units.fingerprint)
    choices = to_mapping(recipe)
    # Fingerprints say more than the paths, which change where the folder is moved.
    for key in ("units", "train"):
        choices["paired"].pop(key)
    return shop.train(MODEL, recipe, {**made_of, "recipe": choices})


def _reader(plan: UnitPlan) -> FrameReader:
    """Of the frames that units are clusters of."""
    if plan.units is not None:
        return reader_for(UnitModel.load(plan.units), plan.encoder)
    if plan.text_to_unit is not None:
        mend = "Give --units FOLDER, the unit model that it was trained with."
        raise RecipeError("a text-to-unit model knows the units of one unit model only", mend=mend)
    return reader_of(plan.encoder, plan.layer)


def _has_places(shop: Workshop, plan: UnitPlan) -> bool:
    """Whether the text-to-unit model reads phones with their place in the word.

    Raises:
        VocabularyError: the model that is given makes other units.
    """
    if plan.text_to_unit is None:
        return _recipe(shop, plan).paired.word_positions
    made, stored = UnitsOfPhones.load(plan.text_to_unit).fingerprint, load_unit_writer(plan.text_to_unit)[0]
    assert plan.units is not None, "checked before"
    wanted = UnitModel.load(plan.units).fingerprint
    if made != wanted:
        given = f"fingerprint {made[:16]}, the unit model has {wanted[:16]}"
        mend = "Give the unit model that it was trained with, or train it anew by giving --paired."
        raise VocabularyError(
            "the text-to-unit model makes other units", where=plan.text_to_unit, given=given, mend=mend
        )
    _require_length(plan, is_generator=stored.kind == "sequence")
    return bool(stored.facts["word_positions"])


def _require_length(plan: UnitPlan, *, is_generator: bool) -> None:
    """Refuse units without their length where units of every frame are wanted."""
    if is_generator and plan.kind == "speechlm-h":
        mend = "Take a model of the task text_to_unit, such as that of text_to_unit_tiny."
        raise RecipeError("a generator writes reduced units, and SpeechLM-H reads one a frame", mend=mend)


def _recipe(shop: Workshop, plan: UnitPlan) -> TextToUnitRecipe | UnitGenerationRecipe:
    """That of the text-to-unit model, with the places of units and pairs."""
    places = {
        "paired.units": str(shop.units),
        "paired.train": [str(shop.out / MODEL / TRAINING)],
        "paired.valid": [],
        "paired.max_minutes": None,
    }
    recipe = load_recipe(plan.recipe, (*overrides_of(places), *plan.overrides))
    if not isinstance(recipe, TextToUnitRecipe | UnitGenerationRecipe) or recipe.paired.rate is not None:
        mend = "Give a recipe of the task text_to_unit that learns all units, such as text_to_unit_tiny."
        raise RecipeError("the recipe trains no text-to-unit model", where=plan.recipe, given=recipe.task, mend=mend)
    _require_length(plan, is_generator=isinstance(recipe, UnitGenerationRecipe))
    return recipe
