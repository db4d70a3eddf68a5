import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from commands import fingerprints
from sprachbund.checkpoints.store import FORMAT, StoredModel, load_model, read_header, read_weights, save_model
from sprachbund.config import to_mapping
from sprachbund.errors import CheckpointError
from sprachbund.tokens.text import CharacterTokenizer


def stored_model(seed: int = 0, **parts: Any) -> StoredModel:
    model = tiny.tiny_model(seed)
    usual: dict[str, Any] = {
        "kind": "speecht5",
        "config": to_mapping(model.config),
        "weights": model.state_dict(),
        "tokenizer": tiny.character_tokenizer(),
        "facts": {"stage": "pretraining", "steps": 12, "unit_model": "abc", "rate": 0.25, "init": None},
        "card": "# Ein Modell — größer\n",
        "recipe": "task: pretraining\n",
    }
    return StoredModel(**(usual | parts))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(tmp_path / "runs" / "model", stored_model())
    return tmp_path / "runs" / "model"


def assert_same(loaded: StoredModel, stored: StoredModel) -> None:
    assert (loaded.kind, loaded.config, loaded.facts) == (stored.kind, stored.config, stored.facts)
    assert (loaded.card, loaded.recipe) == (stored.card, stored.recipe)
    assert loaded.tokenizer.vocabulary == stored.tokenizer.vocabulary
    assert loaded.tokenizer.encode("a bad deed") == stored.tokenizer.encode("a bad deed")
    assert loaded.weights.keys() == stored.weights.keys()
    for name, weight in stored.weights.items():
        assert loaded.weights[name].dtype == weight.dtype, name
        assert loaded.weights[name].numpy().tobytes() == weight.numpy().tobytes(), name


def test_what_is_loaded_is_what_was_saved(folder: Path):
    assert_same(load_model(folder), stored_model())
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "config.json", "model.safetensors", "recipe.yaml", "tokenizer",
    ]  # fmt: skip
    assert folder.stat().st_mode & 0o777 == 0o755


def test_equal_models_give_equal_files(folder: Path, tmp_path: Path):
    save_model(tmp_path / "again", stored_model())
    assert fingerprints(tmp_path / "again") == fingerprints(folder)


def test_the_folder_can_be_moved_and_renamed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "elsewhere").mkdir()
    shutil.move(folder, tmp_path / "elsewhere" / "a model")
    shutil.rmtree(tmp_path / "runs")
    assert_same(load_model(tmp_path / "elsewhere" / "a model"), stored_model())
    monkeypatch.chdir(tmp_path / "elsewhere" / "a model")
    assert_same(load_model(Path()), stored_model())


def test_card_and_recipe_may_be_missing(tmp_path: Path):
    save_model(tmp_path / "model", stored_model(recipe=None))
    (tmp_path / "model" / "README.md").unlink()
    loaded = load_model(tmp_path / "model")
    assert (loaded.card, loaded.recipe) == ("", None)


def test_a_card_in_another_encoding_keeps_no_model_from_use(folder: Path):
    (folder / "README.md").write_bytes("größer".encode("latin-1"))
    assert load_model(folder).card == "gr\ufffd\ufffder"


def test_tied_weights_are_saved_under_each_of_their_names(folder: Path):
    model = tiny.tiny_model()
    assert model.text_head.weight is model.text_prenet.embedding.weight
    weights = load_model(folder).weights
    assert torch.equal(weights["text_head.weight"], weights["text_prenet.embedding.weight"])
    assert weights["text_head.weight"].data_ptr() != weights["text_prenet.embedding.weight"].data_ptr()


def test_parts_of_larger_tensors_are_saved_alone(tmp_path: Path):
    large = torch.arange(24.0).reshape(4, 6)
    save_model(tmp_path / "model", stored_model(weights={"column": large[:, 2], "turned": large.T}))
    weights = load_model(tmp_path / "model").weights
    assert torch.equal(weights["column"], large[:, 2])
    assert torch.equal(weights["turned"], large.T)
    assert (tmp_path / "model" / "model.safetensors").stat().st_size < 500


def test_a_model_folder_is_replaced_as_a_whole(folder: Path):
    (folder / "extra.txt").write_text("of the old one")
    save_model(folder, stored_model(seed=1, recipe=None))
    assert_same(load_model(folder), stored_model(seed=1, recipe=None))
    assert not (folder / "extra.txt").exists()
    assert list(folder.parent.iterdir()) == [folder]


def test_an_empty_folder_may_stand_in_the_place(tmp_path: Path):
    (tmp_path / "model").mkdir()
    save_model(tmp_path / "model", stored_model())
    assert_same(load_model(tmp_path / "model"), stored_model())


def test_folders_and_files_of_something_else_are_left_alone(tmp_path: Path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    (tmp_path / "notes").write_text("more of it")
    before = fingerprints(tmp_path)
    for name, given_as in (("thesis", "a folder of other files"), ("notes", "a file")):
        with pytest.raises(CheckpointError, match=f"cannot be written here in .*{name}.*{given_as}.*another name"):
            save_model(tmp_path / name, stored_model())
    assert fingerprints(tmp_path) == before


def fail(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


# Every step of writing: the header, the weights, the tokenizer, the card, and the two renames at the end.
FAILURES: dict[str, tuple[object, str]] = {
    "header": (json, "dumps"),
    "weights": (safetensors.torch, "save"),
    "tokenizer": (CharacterTokenizer, "save"),
    "texts": (Path, "write_text"),
    "renames": (Path, "replace"),
}


@pytest.mark.parametrize("step", FAILURES)
@pytest.mark.parametrize("stands", [False, True])
def test_a_failure_in_the_middle_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, stands: bool
):
    target = tmp_path / "models" / "one"
    target.parent.mkdir()
    if stands:
        save_model(target, stored_model())
    before = fingerprints(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(OSError, match=r"No space left"):
        patch.setattr(*FAILURES[step], fail)
        save_model(target, stored_model(seed=1))
    assert fingerprints(tmp_path) == before
    assert list(target.parent.iterdir()) == ([target] if stands else [])


@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_a_failure_between_the_two_renames_puts_the_old_folder_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
):
    rename, calls = Path.replace, []

    def fail_once_aside(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == renames_before:
            raise error
        return rename(path, target)

    # The first renames are those of the files inside; the last one puts the new folder in its place.
    renames_before = 0
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail_once_aside)
        save_model(folder, stored_model())
    renames_before, before = len(calls), fingerprints(folder.parent)
    calls.clear()
    with monkeypatch.context() as patch, pytest.raises(type(error)):
        patch.setattr(Path, "replace", fail_once_aside)
        save_model(folder, stored_model(seed=1))
    assert fingerprints(folder.parent) == before
    assert list(folder.parent.iterdir()) == [folder]


# What can be wrong with a folder, and what the sentence must say.
DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda folder: (folder / "config.json").unlink(), "not a model folder.*no config.json in it"),
    "config is a picture": (
        lambda folder: (folder / "config.json").write_bytes(b"\x89PNG\xff"),
        "cannot be understood",
    ),
    "config is cut": (lambda folder: (folder / "config.json").write_text('{"format": 1, '), "cannot be understood"),
    "config is a list": (lambda folder: (folder / "config.json").write_text("[1]"), "no number of its format"),
    "config nests": (lambda folder: (folder / "config.json").write_text("[" * 99999), "cannot be understood"),
    "config of another": (lambda folder: (folder / "config.json").write_text("{}"), "no number of its format"),
    "no kind": (lambda folder: change(folder, kind=None), r"given: no kind"),
    "no values": (lambda folder: change(folder, config=[]), r"given: no config"),
    "no facts": (lambda folder: change(folder, facts=3), r"given: no facts"),
    "newer": (lambda folder: change(folder, format=FORMAT + 1), "newer version.*format 2, known up to 1.*Upgrade"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "weights are missing.*Copy the whole"),
    "empty weights": (lambda folder: (folder / "model.safetensors").write_bytes(b""), "truncated or not a safetensors"),
    "foreign weights": (lambda folder: torch.save({}, folder / "model.safetensors"), "not a safetensors.*Copy"),
    "no tokenizer": (lambda folder: shutil.rmtree(folder / "tokenizer"), "tokenizer of this model folder"),
    "another tokenizer": (
        lambda folder: CharacterTokenizer.train(["fghijabcdexyz"]).save(folder / "tokenizer"),
        "vocabulary does not match the weights.*fingerprint.*Put back the tokenizer",
    ),
}


def change(folder: Path, **values: Any) -> None:
    header = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(header | values))


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told_in_a_sentence(folder: Path, damage: str):
    break_it, told = DAMAGES[damage]
    break_it(folder)
    before = fingerprints(folder)
    with pytest.raises(CheckpointError, match=f"(?s){told}") as raised:
        load_model(folder)
    assert str(folder) in str(raised.value)
    assert raised.value.mend
    assert fingerprints(folder) == before


def test_what_is_no_folder_is_no_model_folder(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"not a model folder.*no such folder.*Name the folder"):
        read_header(tmp_path / "nothing")
    (tmp_path / "file.wav").write_bytes(b"RIFF")
    with pytest.raises(CheckpointError, match=r"not a model folder.*no config.json in it"):
        read_header(tmp_path / "file.wav")


@pytest.fixture(scope="module")
def weights_bytes(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Path]:
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    content = safetensors.torch.save({"a": torch.arange(20.0), "b": torch.ones(3, 4, dtype=torch.int64)})
    return content, path


@settings(deadline=None, max_examples=60)
@given(cut=st.integers(1, 300), flips=st.lists(st.tuples(st.integers(0, 120), st.integers(1, 255)), max_size=3))
def test_any_damage_of_the_weights_is_an_error_of_ours(
    weights_bytes: tuple[bytes, Path], cut: int, flips: list[tuple[int, int]]
):
    content, path = weights_bytes
    damaged = bytearray(content[: len(content) - cut])
    for place, change_by in flips:
        damaged[place % len(damaged)] ^= change_by
    path.write_bytes(damaged)
    with pytest.raises(CheckpointError, match=r"truncated or not a safetensors file"):
        read_weights(path)
