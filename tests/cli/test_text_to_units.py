"""The verbs of models that read text, from recipes to stores of units and figures."""

import json
from pathlib import Path

import pytest

import paired_speech
import tiny
from commands import assert_refused, run_command
from sprachbund.config import dump_yaml
from sprachbund.data.text.store import LineStore

RUN = {"steps": 3, "checkpoint_every": 3, "validate_every": 3}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the speech, the recipe and the run of a model from phones to units."""
    folder = tmp_path_factory.mktemp("trained")
    plain = paired_speech.paired_recipe(folder, "text_to_unit", **RUN)
    (folder / "recipe.yaml").write_text(dump_yaml(plain), "utf-8")
    outcome = run_command("tokens", "train-t2u", folder / "recipe.yaml", "run.seed=4", "--out", folder / "run")
    assert (outcome.code, outcome.out) == (0, f"model folder: {folder / 'run' / 'model'}\n"), outcome.err
    return folder


def test_text_becomes_units(trained: Path, tmp_path: Path) -> None:
    phones = tmp_path / "phones.txt"
    phones.write_text("SIL HH AH L OW SIL\nSIL W ER L D ʃ SIL\nSIL B AY SIL\n", "utf-8")
    out = tmp_path / "units"
    first = run_command("tokens", "text-to-units", trained / "run" / "model", phones, "--out", out)
    assert first.code == 0, first.err
    store = LineStore(out)
    assert store.text("text", 0) == "SIL HH AH L OW SIL"
    assert store.ids_field("units", tiny.unit_model().fingerprint).size == tiny.NUM_UNITS
    told = first.out.splitlines()
    assert told[0] == f"{len(store)} of 3 lines"
    assert told[1] == f"1 left out: a phone that the model does not know; they are listed in {out / 'rejected.jsonl'}"
    assert told[-1] == f"{store.num_items('units')} units in {out}"
    # Given again, the command has nothing to do.
    assert run_command("tokens", "text-to-units", trained / "run" / "model", phones, "--out", out).out == first.out


def test_the_first_of_two_shards_waits_for_the_other(trained: Path, tmp_path: Path) -> None:
    phones = tmp_path / "phones.txt"
    phones.write_text("SIL HH AH L OW SIL\n" * 70, "utf-8")
    words = ("tokens", "text-to-units", trained / "run" / "model", phones, "--out", tmp_path / "units", "--shard")
    assert "written when the other shards are done" in run_command(*words, "1/2").out
    assert "70 of 70 lines" in run_command(*words, "2/2").out


def test_units_of_text_are_judged(trained: Path, tmp_path: Path) -> None:
    speech, figures = trained / "speech", tmp_path / "figures.json"
    words = ("tokens", "t2u-quality", trained / "run" / "model", speech / "valid.jsonl.gz", "--json", figures)
    outcome = run_command(*words, "--train", speech / "train.jsonl.gz")
    assert outcome.code == 0, outcome.err
    found = json.loads(figures.read_text("utf-8"))
    assert (found["clips"], found["train_clips"]) == (2, 8)
    rate = found["systems"]["model, true durations"]["units"]["rate"]
    assert f"{rate:.4f}" in outcome.out
    assert f"2 clips, {found['units']} units; 0 clips without an alignment left out" in outcome.out


def test_pronunciations_are_learned_and_judged(tmp_path: Path) -> None:
    plain = paired_speech.pronunciation_recipe(tmp_path, **RUN)
    (tmp_path / "recipe.yaml").write_text(dump_yaml(plain), "utf-8")
    outcome = run_command("tokens", "train-g2p", tmp_path / "recipe.yaml", "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    first, words, phones = outcome.out.splitlines()
    assert first == f"model folder: {tmp_path / 'run' / 'model'}"
    assert words.startswith("word error rate ") and phones.startswith("phone error rate ")
    # What is there is not trained over, and goes on where it was told to.
    again = ("tokens", "train-g2p", tmp_path / "recipe.yaml", "--out", tmp_path / "run")
    assert_refused(run_command(*again), "holds a run already")
    assert run_command(*again, "--resume").out == outcome.out


def test_a_recipe_or_model_of_another_verb_is_refused(trained: Path, tmp_path: Path) -> None:
    recipe = trained / "recipe.yaml"
    assert_refused(run_command("tokens", "train-g2p", recipe), "Use `sprachbund tokens train-t2u`")
    assert_refused(run_command("pretrain", recipe), "Use `sprachbund tokens train-t2u`")
    words = ("tokens", "text-to-units", tiny.write_hubert_folder(tmp_path / "hubert"), "x.txt", "--out", "y")
    assert_refused(run_command(*words), "reads speech, and one of text is wanted")
    clip = trained / "speech" / "audio" / "valid-000.wav"
    assert_refused(run_command("transcribe", trained / "run" / "model", clip), "one of speech is wanted")
