"""What a run learns from is known by its content: another word, cut or line of text is another fingerprint."""

from pathlib import Path
from typing import Any

import paired_speech
import speech_units
import tiny
from language_text import language_recipe
from sprachbund.config import from_mapping
from sprachbund.training.fingerprints import data_fingerprints
from sprachbund.training.speech_recipes import PretrainingRecipe
from sprachbund.training.text_recipes import LanguageModelRecipe, PronunciationRecipe, UnitGenerationRecipe
from sprachbund.training.unit_recipes import UnitPretrainingRecipe


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as handle:
        handle.write(text)


def test_the_words_of_a_lexicon_count_and_not_its_comments(tmp_path: Path) -> None:
    plain = paired_speech.pronunciation_recipe(tmp_path)
    recipe = from_mapping(PronunciationRecipe, plain, "test")
    lexicon = Path(plain["words"]["lexicon"])
    [(name, before)] = data_fingerprints(recipe).items()
    assert name == str(lexicon)
    append(lexicon, ";;; a comment\n")
    assert data_fingerprints(recipe) == {name: before}
    append(lexicon, "new  N UW\n")
    assert data_fingerprints(recipe) != {name: before}


def test_manifests_of_paired_speech_count(tmp_path: Path) -> None:
    plain = paired_speech.paired_recipe(tmp_path, "unit_generation")
    recipe = from_mapping(UnitGenerationRecipe, plain, "test")
    before = data_fingerprints(recipe)
    train, valid = plain["paired"]["train"][0], plain["paired"]["valid"][0]
    assert set(before) == {train, valid}
    paired_speech.write_paired(tmp_path / "speech", 3, "valid")
    after = data_fingerprints(recipe)
    assert after[train] == before[train]
    assert after[valid] != before[valid]


def test_the_text_of_a_language_model_counts(tmp_path: Path) -> None:
    plain = language_recipe(tmp_path)
    recipe = from_mapping(LanguageModelRecipe, plain, "test")
    before = data_fingerprints(recipe)
    train, valid = plain["text"]["train"][0], plain["text"]["valid"][0]
    assert set(before) == {train, valid}
    append(Path(valid), "one more\n")
    after = data_fingerprints(recipe)
    assert after[train] == before[train] and after[valid] != before[valid]


def pretraining(folder: Path, **changes: Any) -> PretrainingRecipe:
    return from_mapping(PretrainingRecipe, {**tiny.pretraining_recipe(folder), **changes}, "test")


def test_speech_and_text_of_pretraining_count(tmp_path: Path) -> None:
    recipe = pretraining(tmp_path)
    assert recipe.speech is not None and recipe.text is not None
    before = data_fingerprints(recipe)
    assert set(before) == {*recipe.speech.train, *recipe.speech.valid, str(recipe.text.train[0])}
    append(recipe.text.train[0], "one more\n")
    changed = {name for name, found in data_fingerprints(recipe).items() if found != before[name]}
    assert changed == {str(recipe.text.train[0])}


def test_what_is_not_there_is_told_when_it_is_read(tmp_path: Path) -> None:
    recipe = pretraining(tmp_path, text={"train": [str(tmp_path / "nothing.txt")]})
    assert not any("nothing" in name for name in data_fingerprints(recipe))


def test_stores_of_units_count(tmp_path: Path) -> None:
    """Other units of the same text are other data."""
    plain = speech_units.unit_recipe("speechut", tmp_path)
    other = tiny.write_corpus(tmp_path / "alone", 2, units=tiny.unit_model(), name="alone")
    plain["mono"] |= {"speech": [str(other)], "text": []}
    recipe = from_mapping(UnitPretrainingRecipe, plain, "test")
    before = data_fingerprints(recipe)
    train, valid = plain["paired"]["train"][0], plain["paired"]["valid"][0]
    assert set(before) == {*plain["speech"]["train"], *plain["speech"]["valid"], train, valid, str(other)}
    Path(train).rename(tmp_path / "old")
    speech_units.write_store(Path(train), tiny.unit_model(), reduced=True, seed=9)
    after = data_fingerprints(recipe)
    assert {name for name in before if after[name] != before[name]} == {train}
    written = speech_units.write_store(tmp_path / "written", tiny.unit_model(), reduced=True)
    plain["mono"]["text"] = [str(written)]
    more = data_fingerprints(from_mapping(UnitPretrainingRecipe, plain, "test"))
    assert more.keys() - after.keys() == {str(written)}
