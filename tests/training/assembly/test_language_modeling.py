"""Lines to learn from: encoded, counted, and held out."""

from pathlib import Path
from typing import Any

import pytest

import tiny
from language_text import language_recipe
from sprachbund.config import from_mapping
from sprachbund.data.batches.text_lines import TextLinesBatch
from sprachbund.errors import DataError
from sprachbund.models.language_model.model import TransformerLanguageModel
from sprachbund.training.assembly.assemble import assemble
from sprachbund.training.text_recipes import LanguageModelRecipe


def recipe(folder: Path, **text: Any) -> LanguageModelRecipe:
    return from_mapping(LanguageModelRecipe, language_recipe(folder, text, valid_clips=5), "test")


def test_lines_are_learned_and_some_held_out(tmp_path: Path) -> None:
    told: list[str] = []
    assembly = assemble(recipe(tmp_path), told.append)
    tokenizer = assembly.tokenizer
    assert tokenizer is not None
    lines = [line for plan in assembly.streams["text"].plans(0) for line in plan]
    assert sorted(tokenizer.decode(line.tokens.tolist()) for line in lines) == sorted(tiny.LINES)
    num_tokens = sum(len(tokenizer.encode(line)) for line in tiny.LINES)
    assert told == [f"{len(tiny.LINES)} lines of {num_tokens} tokens to learn from."]
    assert (assembly.facts["lines"], assembly.facts["tokens"]) == (len(tiny.LINES), num_tokens)
    held_out = [micro["text"] for micro in assembly.held_out]
    assert sum(len(batch.ids) for batch in held_out) == 5
    batch = held_out[0]
    assert isinstance(batch, TextLinesBatch)
    assert tokenizer.decode(batch.targets[0].tolist()) == tiny.TEXTS[0]
    assert isinstance(assembly.model, TransformerLanguageModel)
    assert assembly.model.config.vocab_size == len(tokenizer.vocabulary)


def test_a_source_named_twice_weighs_twice_and_manifests_give_their_transcripts(tmp_path: Path) -> None:
    text, manifest = tiny.write_text(tmp_path, ["ab", "ba"]), tiny.write_corpus(tmp_path / "speech", 2)
    assembly = assemble(recipe(tmp_path / "recipe", train=[str(text), str(text), str(manifest)], valid=[]), print)
    assert assembly.tokenizer is not None
    tokens = [line.tokens.tolist() for plan in assembly.streams["text"].plans(0) for line in plan]
    assert sorted(map(assembly.tokenizer.decode, tokens)) == sorted(["ab", "ba", "ab", "ba", *tiny.TEXTS[:2]])
    assert assembly.held_out == []


def test_long_lines_are_left_out_and_told(tmp_path: Path) -> None:
    told: list[str] = []
    assembly = assemble(recipe(tmp_path, max_tokens=9, valid=[]), told.append)
    assert "longer than 9 tokens" in told[0] and "left out" in told[0]
    assert 0 < assembly.facts["lines"] < len(tiny.LINES)
    with pytest.raises(DataError, match="no line of text is left to use"):
        assemble(recipe(tmp_path, max_tokens=1), told.append)
