import json
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from commands import fingerprints
from models.ngram.texts import SENTENCE, TEXT, model_of
from sprachbund.errors import CheckpointError, DataError
from sprachbund.models.ngram.arpa import write_arpa
from sprachbund.models.ngram.model import NgramModel
from sprachbund.models.ngram.store import (
    DESCRIPTION,
    TENSORS,
    WORDS,
    is_ngram,
    load_ngram,
    read_description,
    save_ngram,
)

TEXTS = [["a", "b", "c"], ["a", "b"], ["b", "a", "a"]]


@given(TEXT, st.integers(1, 4), SENTENCE)
@settings(deadline=None, max_examples=15)
def test_saved_and_loaded_is_the_same(tmp_path_factory: pytest.TempPathFactory, text, order, said) -> None:
    model = replace(model_of(text, order), facts={"lines": len(text)})
    folder = tmp_path_factory.mktemp("ngram")
    save_ngram(model, folder)
    loaded = load_ngram(folder)
    assert (loaded.words, loaded.counts, loaded.level, loaded.facts) == (
        model.words, model.counts, "words", {"lines": len(text)}
    )  # fmt: skip
    assert loaded.sentence_log_prob(said) == model.sentence_log_prob(said)


def test_equal_models_give_equal_bytes_and_replace_each_other(tmp_path: Path) -> None:
    save_ngram(model_of(TEXTS[:1], 2), tmp_path / "one")
    save_ngram(model_of(TEXTS, 3), tmp_path / "one")
    save_ngram(model_of(TEXTS, 3), tmp_path / "two")
    assert fingerprints(tmp_path / "one") == fingerprints(tmp_path / "two")
    assert read_description(tmp_path / "one")["level"] == "words"


def test_a_folder_moves_as_a_whole_and_an_arpa_file_loads_too(tmp_path: Path) -> None:
    model = model_of(TEXTS, 3)
    save_ngram(model, tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    write_arpa(model, tmp_path / "m.arpa.gz")
    assert is_ngram(tmp_path / "there")
    assert is_ngram(tmp_path / "m.arpa.gz")
    assert not is_ngram(tmp_path)
    wanted = model.sentence_log_prob(["a", "c"])
    assert load_ngram(tmp_path / "there").sentence_log_prob(["a", "c"]) == wanted
    assert load_ngram(tmp_path / "m.arpa.gz").sentence_log_prob(["a", "c"]) == pytest.approx(wanted, abs=1e-4)


def test_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("a\n")
    for place in (tmp_path, tmp_path / "text.txt"):
        with pytest.raises(CheckpointError, match="cannot be written here"):
            save_ngram(model_of(TEXTS, 2), place)
    assert (tmp_path / "text.txt").read_text() == "a\n"


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no n-gram model"):
        load_ngram(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        load_ngram(tmp_path / "none.arpa")


@pytest.mark.parametrize("name", [DESCRIPTION, TENSORS, WORDS])
@pytest.mark.parametrize("damage", ["cut", "gone", "flipped"])
def test_damaged_files_are_refused(tmp_path: Path, name: str, damage: str) -> None:
    save_ngram(model_of(TEXTS, 3), tmp_path)
    content = (tmp_path / name).read_bytes()
    if damage == "gone":
        (tmp_path / name).unlink()
    else:
        middle = len(content) // 2
        changed = content[:middle] if damage == "cut" else content[:10] + bytes([content[10] ^ 255]) + content[11:]
        (tmp_path / name).write_bytes(changed)
    with pytest.raises(CheckpointError):
        load_ngram(tmp_path)


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("keys", lambda keys: keys.flip(0), "keys that are not in order"),
        ("keys", lambda keys: torch.cat([keys[:-1], keys[-1:] + 10**9]), "contexts that are not there"),
        ("suffixes", lambda suffixes: torch.arange(len(suffixes), dtype=torch.int32), "ends that are no shorter"),
        ("suffixes", lambda suffixes: suffixes - 1, "ends that are no shorter"),
        ("log_probs", lambda log_probs: log_probs * torch.nan, "numbers that are none"),
        ("backoffs", lambda backoffs: backoffs[:-1], "tensors of other sizes"),
        ("backoffs", lambda backoffs: backoffs.double(), "tensors of other sizes"),
    ],
    ids=["order", "contexts", "endless", "negative", "nan", "short", "double"],
)
def test_numbers_that_would_mislead_a_walk_are_refused(tmp_path: Path, name: str, change, told: str) -> None:
    model = model_of(TEXTS, 3)
    save_ngram(changed(model, name, change), tmp_path)
    with pytest.raises(CheckpointError, match=told):
        load_ngram(tmp_path)


def changed(model: NgramModel, name: str, change) -> NgramModel:
    if name == "keys":
        return replace(model, trie=replace(model.trie, keys=change(model.trie.keys)))
    return replace(model, **{name: change(getattr(model, name))})


@pytest.mark.parametrize("wrong", [{"format": 2}, {"counts": [-1]}, {"counts": []}, {"level": "letters"}, {"facts": 1}])
def test_descriptions_of_another_form_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    save_ngram(model_of(TEXTS, 2), tmp_path)
    described = json.loads((tmp_path / DESCRIPTION).read_text()) | wrong
    (tmp_path / DESCRIPTION).write_text(json.dumps(described))
    with pytest.raises(CheckpointError, match="damaged"):
        load_ngram(tmp_path)


def test_the_tensors_are_plain_safetensors(tmp_path: Path) -> None:
    save_ngram(model_of(TEXTS, 2), tmp_path)
    assert set(safetensors.torch.load_file(tmp_path / TENSORS)) == {"keys", "log_probs", "backoffs", "suffixes"}
