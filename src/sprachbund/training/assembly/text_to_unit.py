"""The parts of learning units of text from a little speech whose phones and units are both known."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lhotse import CutSet

from sprachbund.data.batches.batch import Micro
from sprachbund.data.batches.crops import NUM_SPECIALS
from sprachbund.data.batches.paired import SequenceCollator, TextToUnitCollator, TokenPair
from sprachbund.data.example_stream import ExampleStream
from sprachbund.data.mixture import Collator
from sprachbund.data.paired_units import PairedExample, Pairing, paired_cuts
from sprachbund.data.phone_labels import aligner_of
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.errors import DataError, RecipeError
from sprachbund.models.sequence.config import SequenceConfig
from sprachbund.models.sequence.model import SequenceModel
from sprachbund.models.text_to_unit.config import TextToUnitConfig
from sprachbund.models.text_to_unit.model import TextToUnit
from sprachbund.objectives.sequence import SequenceWriting
from sprachbund.objectives.text_to_unit import UnitPrediction
from sprachbund.tokens.phones import phone_vocabulary
from sprachbund.tokens.reduction import reduced
from sprachbund.tokens.symbols import SymbolTokenizer
from sprachbund.tokens.units import UnitModel
from sprachbund.tokens.vocabulary import Vocabulary
from sprachbund.training.assembly.initial import sized
from sprachbund.training.assembly.parts import Assembly, Say
from sprachbund.training.text_recipes import PairedConfig, TextToUnitRecipe, UnitGenerationRecipe

STREAM = "paired"


def assemble_text_to_unit(recipe: TextToUnitRecipe, say: Say) -> Assembly:
    """A model that gives all units at once, and its paired speech."""
    data = paired_speech(recipe.paired, recipe.run.valid_clips, say)
    config = sized(TextToUnitConfig, recipe.model, num_phones=len(data.vocabulary), num_units=data.num_targets)
    model = TextToUnit(config)
    collator, size = TextToUnitCollator(data.vocabulary), recipe.paired.batch_units
    train, valid = ([len(example.units) for example in part] for part in (data.train, data.valid))
    return Assembly(
        UnitPrediction(model, recipe.objective),
        model,
        SymbolTokenizer(data.vocabulary),
        {STREAM: ExampleStream(data.train, train, size, seed=recipe.run.seed)},
        {STREAM: collator},
        _held_out(ExampleStream(data.valid, valid, size, shuffle=False), collator),
        (),
        {"stage": "text to units", **data.facts},
    )


def assemble_unit_generation(recipe: UnitGenerationRecipe, say: Say) -> Assembly:
    """A generator of reduced units, and its paired speech."""
    data = paired_speech(recipe.paired, recipe.run.valid_clips, say)
    config = sized(SequenceConfig, recipe.model, vocab_size=len(data.vocabulary), num_targets=data.num_targets)
    model = SequenceModel(config)
    pairs = [token_pair(example, data.vocabulary) for example in data.train]
    held_out = [token_pair(example, data.vocabulary) for example in data.valid]
    collator, size = SequenceCollator(), recipe.paired.batch_units
    return Assembly(
        SequenceWriting(model, recipe.objective),
        model,
        SymbolTokenizer(data.vocabulary),
        {STREAM: ExampleStream(pairs, _sizes(pairs), size, seed=recipe.run.seed)},
        {STREAM: collator},
        _held_out(ExampleStream(held_out, _sizes(held_out), size, shuffle=False), collator),
        (),
        {"stage": "unit generation", **data.facts},
    )


def _held_out(stream: ExampleStream, collator: Collator) -> list[Micro]:
    return [{STREAM: collator(plan, 0)} for plan in stream.plans(0)]


@dataclass(frozen=True)
class PairedSpeech:
    """Examples to learn from and to validate on."""

    train: list[PairedExample]
    valid: list[PairedExample]
    vocabulary: Vocabulary  # of the phones
    num_targets: int  # entries of the dictionary of units
    facts: dict[str, Any]  # what a model of this data needs to know of itself


def paired_speech(config: PairedConfig, limit: int, say: Say) -> PairedSpeech:
    """The examples of a recipe.

    Args:
        config: the part of the recipe.
        limit: at most this many clips to validate on.
        say: is told what was left out.

    Raises:
        RecipeError: a rate that the units do not have.
        DataError, VocabularyError: manifests that do not fit the unit model or each other.
    """
    units = UnitModel.load(config.units)
    pairing = Pairing(
        fingerprint=units.fingerprint,
        frame_shift=units.frame_shift,
        keep_every=_keep_every(units, config.rate),
        word_places=config.word_positions,
    )
    found = paired_cuts(_read(config.train), units.fingerprint, max_minutes=config.max_minutes)
    left_out, valid = found.num_unaligned, []
    if config.valid:
        held_out = paired_cuts(_read(config.valid), units.fingerprint)
        left_out += held_out.num_unaligned
        aligner_of((*found.cuts, *held_out.cuts))  # one for both
        valid = [pairing(cut) for cut in held_out.cuts[:limit]]
    if left_out:
        say(f"{left_out} clips are not aligned and are left out.")
    facts = {
        "num_units": units.num_units,
        **pairing.facts(),
        "aligner": found.aligner,
        "max_minutes": config.max_minutes,
        "paired_minutes": round(sum(cut.duration for cut in found.cuts) / 60, 2),
    }
    train = _short_enough([pairing(cut) for cut in found.cuts], config.max_units, say)
    vocabulary = phone_vocabulary(places=config.word_positions)
    return PairedSpeech(train, valid, vocabulary, units.num_units + NUM_SPECIALS, facts)


def token_pair(example: PairedExample, vocabulary: Vocabulary) -> TokenPair:
    """The phones to read and the reduced units to write: 17 17 296 296 20 -> 17 296 20."""
    target = reduced(example.units).units + NUM_SPECIALS
    return TokenPair(example.id, tuple(vocabulary.ids_of(example.phones)), tuple(target.tolist()))


def _keep_every(units: UnitModel, rate: float | None) -> int:
    ratio = 1.0 if rate is None else units.label_rate / rate
    if ratio < 1 or abs(ratio - round(ratio)) > 1e-6:
        raise RecipeError(
            "units cannot be learned at this rate",
            where="paired.rate",
            given=f"{rate} a second, the unit model has {units.label_rate}",
            mend="Give an integer part of the unit model's rate, such as 25 of 50.",
        )
    return round(ratio)


def _read(paths: tuple[Path, ...]) -> CutSet:
    cuts = [cut for path in paths for cut in read_cuts(path)]
    if len({cut.id for cut in cuts}) < len(cuts):
        where = ", ".join(map(str, paths))
        raise DataError("the manifests share clip ids", where=where, mend="Name each manifest once.")
    return CutSet.from_cuts(cuts)


def _short_enough(examples: list[PairedExample], most: int, say: Say) -> list[PairedExample]:
    kept = [example for example in examples if 0 < len(example.units) <= most]
    if len(kept) < len(examples):
        say(f"{len(examples) - len(kept)} clips have no unit, or more than {most}, and are left out.")
    if not kept:
        raise DataError("no clip is left to learn from", given=f"{len(examples)} clips", mend="Raise paired.max_units.")
    return kept


def _sizes(pairs: list[TokenPair]) -> list[int]:
    return [max(len(pair.source), len(pair.target) + 1) for pair in pairs]
