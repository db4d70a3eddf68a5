"""Paired speech of a recipe: what is learned, at which rate, from how much, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import paired_speech
import tiny
from sprachbund.config import from_mapping, merge
from sprachbund.data.batches.batch import SequenceBatch, TextToUnitBatch
from sprachbund.data.paired_units import PairedExample
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import DataError, RecipeError, SprachbundError, VocabularyError
from sprachbund.models.sequence.model import SequenceModel
from sprachbund.models.text_to_unit.model import TextToUnit
from sprachbund.tokens.phones import phone_vocabulary
from sprachbund.training.assembly.assemble import assemble
from sprachbund.training.assembly.parts import Assembly
from sprachbund.training.assembly.text_to_unit import token_pair
from sprachbund.training.text_recipes import TextToUnitRecipe, UnitGenerationRecipe

KINDS: dict[str, Any] = {"text_to_unit": TextToUnitRecipe, "unit_generation": UnitGenerationRecipe}


def build(folder: Path, task: str, changes: dict[str, Any] | None = None) -> tuple[Assembly, str]:
    told: list[str] = []
    plain = merge(paired_speech.paired_recipe(folder, task), changes or {})
    return assemble(from_mapping(KINDS[task], plain, "test"), told.append), "\n".join(told)


def first_batch(assembly: Assembly) -> Any:
    return assembly.collators["paired"](assembly.streams["paired"].plans(0)[0], 0)


def test_units_are_learned_all_at_once_or_one_by_one(tmp_path: Path) -> None:
    (lengths, _), (writer, _) = build(tmp_path, "text_to_unit"), build(tmp_path, "unit_generation")
    assert isinstance(lengths.model, TextToUnit) and isinstance(writer.model, SequenceModel)
    assert lengths.model.config.num_units == writer.model.config.num_targets == tiny.NUM_UNITS + 4
    assert lengths.model.config.num_phones == writer.model.config.vocab_size == len(phone_vocabulary(places=False))
    assert isinstance(first_batch(lengths), TextToUnitBatch) and isinstance(first_batch(writer), SequenceBatch)
    assert sum(len(micro["paired"].ids) for micro in lengths.held_out) == 2
    ids = [example.id for plan in writer.streams["paired"].plans(0) for example in plan]
    assert sorted(ids) == [f"train-{number:03d}" for number in range(8)]


def test_a_model_notes_what_it_has_learned_from(tmp_path: Path) -> None:
    facts = build(tmp_path, "unit_generation", {"paired": {"rate": 50, "max_minutes": 0.1}})[0].facts
    assert facts["unit_model"] == tiny.unit_model().fingerprint
    assert (facts["num_units"], facts["unit_rate"], facts["keep_every"]) == (tiny.NUM_UNITS, 100.0, 2)
    assert (facts["word_positions"], facts["aligner"], facts["max_minutes"]) == (False, "", 0.1)
    assert 0 < facts["paired_minutes"] <= 0.1


def test_half_the_rate_is_every_second_unit(tmp_path: Path) -> None:
    def units(rate: float | None) -> dict[str, list[int]]:
        plans = build(tmp_path, "text_to_unit", {"paired": {"rate": rate}})[0].streams["paired"].plans(0)
        return {example.id: example.units.tolist() for plan in plans for example in plan}

    whole, half = units(None), units(50.0)
    assert half == {name: found[::2] for name, found in whole.items()}
    with pytest.raises(RecipeError, match=r"at this rate in paired.rate \(given: 40.0 a second"):
        units(40.0)


def test_units_to_write_are_reduced() -> None:
    example = PairedExample("a", ("HH", "SIL"), np.array([3, 2]), np.array([17, 17, 296, 296, 20]))
    vocabulary = phone_vocabulary(places=False)
    pair = token_pair(example, vocabulary)
    assert pair.target == (21, 300, 24)
    assert [vocabulary.symbol_of(token) for token in pair.source] == ["HH", "SIL"]


def test_phones_with_their_places_make_a_larger_vocabulary(tmp_path: Path) -> None:
    plain = paired_speech.paired_recipe(tmp_path, "text_to_unit")
    with pytest.raises(VocabularyError, match="no place in its word"):
        build(tmp_path, "text_to_unit", {"paired": {"word_positions": True}})
    for name in ("train", "valid"):
        paired_speech.write_paired(tmp_path / "speech", 2, name, places=True)
    recipe = from_mapping(TextToUnitRecipe, merge(plain, {"paired": {"word_positions": True}}), "test")
    assembly = assemble(recipe, print)
    assert assembly.tokenizer is not None
    assert len(assembly.tokenizer.vocabulary) == len(phone_vocabulary(places=True))


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    plain = paired_speech.paired_recipe(tmp_path, "text_to_unit")
    [path] = plain["paired"]["train"]
    cuts = list(read_cuts(Path(path)))
    write_cuts([cuts[0].drop_alignments(), *cuts[1:]], Path(path))
    told: list[str] = []
    recipe = from_mapping(TextToUnitRecipe, merge(plain, {"paired": {"max_units": 100}}), "test")
    assemble(recipe, told.append)
    assert told[0] == "1 clips are not aligned and are left out."
    assert told[1].endswith("clips have no unit, or more than 100, and are left out.")


@pytest.mark.parametrize(
    ("changes", "kind", "told"),
    [
        ({"max_units": 3}, DataError, "no clip is left to learn from"),
        ({"max_minutes": 0.001}, DataError, "fewer than the first clip has .* max_minutes of a recipe"),
    ],
)
def test_speech_that_leaves_nothing_to_learn_is_refused(
    tmp_path: Path, changes: dict[str, Any], kind: type[SprachbundError], told: str
) -> None:
    with pytest.raises(kind, match=told):
        build(tmp_path, "text_to_unit", {"paired": changes})


def test_held_out_speech_of_another_aligner_is_refused(tmp_path: Path) -> None:
    plain = paired_speech.paired_recipe(tmp_path, "text_to_unit")
    paired_speech.write_paired(tmp_path / "speech", 3, "train", alignment_fingerprint="a" * 64)
    paired_speech.write_paired(tmp_path / "speech", 3, "valid", alignment_fingerprint="b" * 64)
    with pytest.raises(VocabularyError, match="of several aligners"):
        assemble(from_mapping(TextToUnitRecipe, plain, "test"), print)


def test_a_manifest_named_twice_is_refused(tmp_path: Path) -> None:
    plain = paired_speech.paired_recipe(tmp_path, "text_to_unit")
    plain["paired"]["train"] *= 2
    with pytest.raises(DataError, match="share clip ids"):
        assemble(from_mapping(TextToUnitRecipe, plain, "test"), print)
