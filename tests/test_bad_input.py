"""The promise about bad input: one sentence on standard error, exit code 2, and nothing on the disk is harmed.

Each test gives the command line something that people do give it. What a sentence says in full is tested where it is
made; here every kind of bad input goes the whole way.
"""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import recognizers
import tiny
from commands import Outcome, assert_refused, fingerprints, run_command
from sprachbund.config import dump_yaml, to_mapping
from sprachbund.errors import RecipeError, SprachbundError
from sprachbund.signal.audio import write_audio
from sprachbund.tokens.text import CharacterTokenizer
from sprachbund.training.recipe import Recipe, load_recipe, shipped_recipes


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound things of every kind, made once."""
    folder = tmp_path_factory.mktemp("originals")
    tiny.write_model_folder(folder / "model")
    (folder / "clips").mkdir()
    write_audio(folder / "clips" / "clip.wav", tiny.tone(8000))
    recognizers.write_language_model(folder / "lm")
    recognizers.write_language_model(folder / "foreign-lm", letters="uvwxyz")
    recognizers.write_arpa(folder / "words.arpa")
    recognizers.write_lexicon(folder / "words.txt")
    recognition = tiny.recognition_recipe(folder / "recognition", steps=1)
    pretraining = tiny.pretraining_recipe(folder / "pretraining", steps=1)
    for name, recipe in (("finetune", recognition), ("pretrain", pretraining)):
        text = dump_yaml(recipe).replace(str(folder), ".")
        (folder / f"{name}.yaml").write_text(text)
    return folder


@pytest.fixture
def place(originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them to damage, in which the command is run."""
    shutil.copytree(originals, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


def refused(place: Path, arguments: str, *words: str, remarks: bool = False) -> None:
    """The command is refused and leaves every file as it is; `remarks` about the data may come before."""
    before = fingerprints(place)
    outcome = run_command(*arguments.split(" "))
    if remarks:
        outcome = Outcome(outcome.code, outcome.out, outcome.err.splitlines()[-1] + "\n")
    assert_refused(outcome, *words)
    assert fingerprints(place) == before


def test_the_originals_are_sound(place: Path):
    """Else the tests below would show nothing."""
    assert run_command("transcribe", "model", "clips").code == 0
    for verb in ("finetune", "pretrain"):
        outcome = run_command(verb, f"{verb}.yaml")
        assert outcome.code == 0, outcome.err


# Recordings: what is done to the clip, and the words that tell it.
def nan_samples(clip: Path) -> None:
    soundfile.write(clip, np.array([0.1, np.nan, 0.2] * 1000, np.float32), 16_000, subtype="FLOAT")


def infinite_samples(clip: Path) -> None:
    soundfile.write(clip, np.full(4000, np.inf, np.float32), 16_000, subtype="FLOAT")


def no_samples(clip: Path) -> None:
    soundfile.write(clip, np.zeros(0, np.float32), 16_000)


BAD_CLIPS: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda clip: clip.write_text("This is no sound.\n" * 50), "Not a recording"),
    "empty file": (lambda clip: clip.write_bytes(b""), "clip.wav"),
    "no samples": (no_samples, "The recording is empty"),
    "not numbers": (nan_samples, "samples that are not numbers"),
    "infinite": (infinite_samples, "samples that are not numbers"),
    "cut short": (lambda clip: clip.write_bytes(clip.read_bytes()[:9000]), "cut short"),
    "missing": (lambda clip: clip.unlink(), "no such file"),
    "zeros": (lambda clip: clip.write_bytes(bytes(2000)), "Not a recording"),
}


@pytest.mark.parametrize("kind", BAD_CLIPS)
def test_recordings(place: Path, kind: str):
    break_it, told = BAD_CLIPS[kind]
    break_it(place / "clips" / "clip.wav")
    refused(place, "transcribe model clips/clip.wav", told, "clips/clip.wav")


def test_folders_without_recordings(place: Path):
    (place / "empty").mkdir()
    refused(place, "transcribe model empty", "holds no recording", "empty", "Name the files")
    refused(place, "transcribe model recognition/tokenizer", "holds no recording")
    refused(place, "transcribe model clips/none", "no such file", "clips/none")


BAD_DECODING = {
    "unknown decoder": ("--decoder best", "no such decoder"),
    "a language model for the best path": ("--lm lm", "decoder ctc has no use for language_models"),
    "a beam for the best path": ("--beam 4", "decoder ctc has no use for beam"),
    "CTC weight for prefixes": ("--decoder ctc-beam --ctc-weight 0.5", "no use for ctc_weight"),
    "missing language model": ("--decoder joint --lm none", "there is no language model in none"),
    "a recogniser as language model": ("--decoder joint --lm model", "this is no language model in model"),
    "a recording as language model": ("--decoder joint --lm clips/clip.wav", "clips/clip.wav"),
    "other letters": ("--decoder joint --lm foreign-lm", "a language model of another vocabulary"),
    "words of other letters": ("--decoder ctc-beam --lm russian.arpa", "."),
    "damaged n-gram model": ("--decoder ctc-beam --lm short.arpa", "short.arpa"),
    "a neural model for prefixes": ("--decoder ctc-beam --lm lm", "neural language model"),
    "weights without models": ("--decoder joint --lm-weight 0.3", "one weight a language model"),
    "missing lexicon": ("--decoder joint --lexicon none.txt", "lexicon cannot be read in none.txt"),
    "empty lexicon": ("--decoder joint --lexicon empty.txt", "lexicon holds no word"),
    "missing settings": ("--settings none.json", "settings cannot be read in none.json"),
    "broken settings": ("--settings broken.json", "no JSON in broken.json"),
    "settings with a typing error": ("--settings typing.json", "'bean' is not known in typing.json"),
    "no such number": ("--decoder joint --length-bonus nan", "length_bonus makes no sense"),
}


@pytest.mark.parametrize("kind", BAD_DECODING)
def test_options_of_decoding(place: Path, kind: str):
    options, told = BAD_DECODING[kind]
    russian = recognizers.ARPA.replace("bad", "дом").replace("cab", "кот").replace("deed", "снег")
    (place / "russian.arpa").write_text(russian.replace(" a\n", " и\n").replace(" a ", " и "), "utf-8")
    (place / "short.arpa").write_text(recognizers.ARPA[:120])
    (place / "empty.txt").write_text("\n")
    (place / "broken.json").write_text("{")
    (place / "typing.json").write_text('{"settings": {"method": "joint", "bean": 3}}')
    for verb in ("transcribe model clips", "evaluate model recognition/transcribed/train.jsonl.gz"):
        refused(place, f"{verb} {options}", told)


def test_a_language_model_in_the_place_of_the_recogniser(place: Path):
    refused(place, "transcribe lm clips", "lm", "one of speech is wanted")
    refused(place, "transcribe words.arpa clips", "words.arpa", "not a model folder")


@pytest.mark.parametrize(
    "decoder",
    [
        "ctc",
        "ctc-beam --beam 99 --length-bonus 50",
        "attention --beam 99",
        "joint --beam 99 --length-bonus 50 --lm lm --lexicon words.txt",
    ],
)
def test_sounds_without_words_have_a_transcript(place: Path, decoder: str):
    """Less than a frame, one frame, silence, noise; with beams larger than the vocabulary and a taste for length."""
    noise = np.random.default_rng(0).uniform(-1, 1, 3000).astype(np.float32)
    sounds = {"click": noise[:100], "frame": noise[:400], "silence": np.zeros(3000, np.float32), "noise": noise}
    for name, sound in sounds.items():
        soundfile.write(place / "clips" / f"{name}.wav", sound, 16_000)
    (place / "clips" / "clip.wav").unlink()
    outcome = run_command("transcribe", "model", "clips", "--decoder", *decoder.split(" "), "--timestamps")
    assert (outcome.code, outcome.err) == (0, "")
    texts = dict(line.split("\t") for line in outcome.out.splitlines())
    assert [Path(name).stem for name in texts] == sorted(sounds)
    assert texts["clips/click.wav"] == ""


def other_tokenizer(folder: Path, letters: str) -> None:
    shutil.rmtree(folder)
    CharacterTokenizer.train([letters]).save(folder)


def other_weights(model: Path, **changes: Any) -> None:
    tiny.write_model_folder(model.parent / "other", **changes)
    shutil.move(model.parent / "other" / "model.safetensors", model / "model.safetensors")
    shutil.rmtree(model.parent / "other")


def change_config(model: Path, **values: Any) -> None:
    header = json.loads((model / "config.json").read_text())
    header["config"] |= values
    (model / "config.json").write_text(json.dumps(header))


BAD_MODELS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (shutil.rmtree, "not a model folder"),
    "no config": (lambda model: (model / "config.json").unlink(), "no config.json"),
    "broken config": (lambda model: (model / "config.json").write_text("{"), "cannot be understood"),
    "unknown key": (lambda model: change_config(model, dropuot=0.1), "Did you mean 'dropout'"),
    "impossible size": (lambda model: change_config(model, mel_prenet_dim=-1), "'mel_prenet_dim' cannot be used"),
    "truncated weights": (
        lambda model: (model / "model.safetensors").write_bytes((model / "model.safetensors").read_bytes()[:5000]),
        "truncated or not a safetensors file",
    ),
    "no weights": (lambda model: (model / "model.safetensors").unlink(), "weights are missing"),
    "a pickle": (lambda model: torch.save({"a": torch.ones(2)}, model / "model.safetensors"), "not a safetensors"),
    "other sizes": (lambda model: other_weights(model, codes_per_group=5), "weights do not fit the model"),
    "foreign names": (
        lambda model: safetensors.torch.save_file({"bert.weight": torch.ones(2)}, model / "model.safetensors"),
        "weights do not fit the model",
    ),
    "larger vocabulary": (lambda model: other_tokenizer(model / "tokenizer", "abcdefgh"), "does not match the weights"),
    "other vocabulary": (lambda model: other_tokenizer(model / "tokenizer", "uvwxyz"), "does not match the weights"),
    "no tokenizer": (lambda model: shutil.rmtree(model / "tokenizer"), "tokenizer of this model folder"),
}


@pytest.mark.parametrize("kind", BAD_MODELS)
def test_model_folders(place: Path, kind: str):
    break_it, told = BAD_MODELS[kind]
    break_it(place / "model")
    refused(place, "transcribe model clips", told, "model")
    refused(place, "info model", "model")


def test_weights_that_are_not_numbers(place: Path):
    weights = safetensors.torch.load_file(place / "model" / "model.safetensors")
    broken = {name: weight * torch.nan if weight.is_floating_point() else weight for name, weight in weights.items()}
    safetensors.torch.save_file(broken, place / "model" / "model.safetensors")
    refused(place, "transcribe model clips", "not numbers", "earlier checkpoint")
    refused(place, "transcribe model clips --decoder attention", "not numbers", "earlier checkpoint")


@pytest.mark.parametrize("verb", ["finetune", "pretrain"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("specht5_tiny_asr", ("no such recipe", "Did you mean 'speecht5_tiny_asr")),
        ("missing.yaml", ("cannot be read", "missing.yaml")),
        ("clips/clip.wav", ("cannot be read as text", "clips/clip.wav", "not UTF-8")),
        ("{verb}.yaml run.sede=3", ("'run.sede' is not known", "Did you mean 'seed'")),
        ("{verb}.yaml optimisation.clip_norm=3", ("'optimisation' is not known", "Did you mean 'optimization'")),
        ("{verb}.yaml run.seed=three", ("'run.seed'", "three")),
        ("{verb}.yaml run.seed", ("not of the form a.b=c", "given: run.seed")),
        ("{verb}.yaml =3", ("not of the form a.b=c",)),
        ("{verb}.yaml run.seed.deep=3", ("'seed' holds a value",)),
        ("{verb}.yaml run.seed=[1", ("not valid YAML",)),
        ("{verb}.yaml run.seed=!!bool_x", ("not valid YAML",)),
        ("{verb}.yaml run.steps=0", ("at least 1",)),
        ("{verb}.yaml task=[1]", ("'task' must name a task",)),
        ("{verb}.yaml task=null", ("'task' must name a task",)),
        ("{verb}.yaml model.size=huge", ("'model.size'", "huge")),
        ("{verb}.yaml model.changes={{layers:_3}}", ("'layers' is not known",)),
        ("{verb}.yaml extends=7", ("'extends' is not known",)),
    ],
)
def test_recipes_and_overrides(place: Path, verb: str, arguments: str, words: tuple[str, ...]):
    given_words = [part.replace("_x", " x").replace(":_", ": ") for part in arguments.format(verb=verb).split(" ")]
    before = fingerprints(place)
    assert_refused(run_command(verb, *given_words), *words)
    assert fingerprints(place) == before


def test_recipes_in_a_ring(place: Path):
    (place / "a.yaml").write_text("extends: b.yaml\n")
    (place / "b.yaml").write_text("extends: a.yaml\n")
    refused(place, "finetune a.yaml", "extend each other in a ring", "a.yaml -> b.yaml -> a.yaml")
    (place / "c.yaml").write_text("extends: speecht5_tiny_arse\n")
    refused(place, "finetune c.yaml", "no such recipe", "Did you mean 'speecht5_tiny_asr'")


@pytest.mark.parametrize(
    "line",
    [
        "2020-01-01",
        "{changes: {encoder: 2020-01-01}}",
        "!!set {tiny}",
        "!!binary aGk=",
        "!!python/object:os.system now",
        "&tiny {size: *tiny}",
        "&tiny {changes: *tiny}",
        "[tiny",
        "{size: tiny, size: small}",
        "{7: small}",
    ],
)
def test_yaml_that_no_recipe_holds(place: Path, line: str):
    (place / "mine.yaml").write_text(f"task: recognition\nmodel: {line}\nspeech: {{train: [a]}}\ntokenizer: b\n")
    refused(place, "finetune mine.yaml run.seed=3", "mine.yaml")


def test_another_tokenizer_than_that_of_the_weights(place: Path):
    CharacterTokenizer.train(["uvwxyz"]).save(place / "letters")
    words = ("vocabulary of the recipe does not match the weights", "letters", "Leave `tokenizer` out")
    refused(place, "finetune finetune.yaml init=model tokenizer=letters model.changes={}", *words)


BAD_DATA = {
    "manifest missing": ("speech.train=[none.jsonl.gz]", "does not exist"),
    "manifest is a recording": ("speech.train=[clips/clip.wav]", "manifest"),
    "manifest is a recipe": ("speech.train=[finetune.yaml]", "no JSON"),
    "manifest of lines": ("speech.train=[lines.jsonl]", "no cut"),
    "manifest cut short": ("speech.train=[short.jsonl.gz]", "damaged"),
    "manifest empty": ("speech.train=[empty.jsonl]", "empty"),
    "manifest twice": ("speech.train=[TRAIN,TRAIN]", "share clip ids"),
    "manifest of a folder": ("speech.train=[clips]", "clips"),
    "clips too short": ("speech.min_seconds=99", "no clip is left"),
    "tokenizer missing": ("tokenizer=none", "none"),
    "tokenizer is a model": ("tokenizer=model", "model"),
}


@pytest.mark.parametrize("kind", BAD_DATA)
def test_data_of_recipes(place: Path, kind: str):
    override, told = BAD_DATA[kind]
    train = "recognition/transcribed/train.jsonl.gz"
    (place / "lines.jsonl").write_text('{"audio": "a.wav", "text": "hello"}\n')
    (place / "short.jsonl.gz").write_bytes((place / train).read_bytes()[:-20])
    (place / "empty.jsonl").write_text("\n")
    refused(place, f"finetune finetune.yaml {override.replace('TRAIN', train)}", told, remarks=True)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("units=none", "none"),
        ("units=model", "model"),
        ("text.train=[none.txt]", "a text file cannot be read in none.txt"),
        ("text.train=[latin.txt]", "a line is not UTF-8 in latin.txt, line 1"),
        ("text.train=[blank.txt]", "no line of text is left"),
        ("text.max_tokens=2", "no line of text is left"),
        ("text=null speech=null", "nothing is left to train on"),
        ("speech.train=[recognition/transcribed/train.jsonl.gz]", "a cut has no units"),
    ],
)
def test_data_of_pretraining(place: Path, override: str, told: str):
    (place / "latin.txt").write_bytes("größer\n".encode("latin-1"))
    (place / "blank.txt").write_text("\n \n")
    before = set(fingerprints(place))
    outcome = run_command("pretrain", "pretrain.yaml", *override.split(" "))
    assert_refused(Outcome(outcome.code, outcome.out, outcome.err.splitlines()[-1] + "\n"), told)
    # Units are looked at when a batch is made: by then the run has begun, but there is no model.
    left = set(fingerprints(place)) - before
    assert all(name.startswith("runs/pretrain/") and "model" not in name for name in left)


def test_manifests(place: Path):
    (place / "cuts.jsonl.gz").write_bytes(gzip.compress(b"no json\n"))
    for verb in (
        "evaluate model cuts.jsonl.gz",
        "info cuts.jsonl.gz",
        "tokens fit-units cuts.jsonl.gz --units 4 --out u",
    ):
        refused(place, verb, "no JSON", "cuts.jsonl.gz, line 1")


# What a person may write after the key of an override.
VALUES = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="[]{}:,'\"#&*!|>%@-0123456789.e \n", max_size=10),
    st.sampled_from(["", "null", "~", "1e-4", "-3", ".inf", ".nan", "[1, 2]", "{a: 1}", "2020-01-01", "!!binary aGk=",
                     "!!python/object:os.system x", "&a [*a]", "!!set {a}", "!!bool x", "!!int ''", "9" * 4400,
                     "!!timestamp x", "{<<: 3}", "[" * 400, "\ud800", "\x00"]),
)  # fmt: skip
KNOWN_KEYS = (
    *("task", "model", "tokenizer", "units", "speech", "text", "masking", "objective", "optimization", "run", "init"),
    *("model.size", "model.changes", "model.changes.encoder.dim", "speech.train", "speech.valid", "speech.buckets"),
    *("speech.batch_seconds", "text.mask", "masking.time", "optimization.betas", "optimization.schedule"),
    *("optimization.schedule.peak", "run.seed", "run.steps", "run.threads"),
)
KEYS = st.sampled_from(KNOWN_KEYS) | st.text(alphabet="abc._= \n", max_size=8)
OVERRIDES = st.one_of(st.builds("{}={}".format, KEYS, VALUES), st.text(max_size=20))


def recipe_or_error(read: Callable[[], Any]) -> None:
    try:
        recipe = read()
    except SprachbundError as error:
        assert isinstance(error, RecipeError)
        assert len(str(error)) > 10
    else:
        assert isinstance(recipe, Recipe)


@settings(deadline=None, max_examples=60)
@given(name=st.sampled_from(shipped_recipes()), overrides=st.lists(OVERRIDES, min_size=1, max_size=3))
def test_any_override_gives_a_recipe_or_an_error_of_ours(name: str, overrides: list[str]):
    recipe_or_error(lambda: load_recipe(name, tuple(overrides)))


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipes") / "recipe.yaml"


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["size", "train", "seed", "a"]), inner),
    max_leaves=6,
)


@settings(deadline=None, max_examples=80)
@given(
    task=st.sampled_from(["pretraining", "recognition"]) | PLAIN,
    parts=st.dictionaries(st.sampled_from([key for key in KNOWN_KEYS if "." not in key]) | st.text(max_size=4), PLAIN),
)
def test_any_mapping_gives_a_recipe_or_an_error_of_ours(recipe_file: Path, task: Any, parts: dict[str, Any]):
    recipe_file.write_text(dump_yaml({**parts, "task": task}), "utf-8")
    recipe_or_error(lambda: load_recipe(str(recipe_file)))


@settings(deadline=None, max_examples=80)
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
def test_any_file_gives_a_recipe_or_an_error_of_ours(recipe_file: Path, content: bytes):
    recipe_file.write_bytes(content)
    recipe_or_error(lambda: load_recipe(str(recipe_file)))


def test_shipped_recipes_are_read_and_written_back():
    for name in shipped_recipes():
        recipe = load_recipe(name)
        assert load_recipe(name, (f"run.seed={recipe.run.seed}",)) == recipe
        assert to_mapping(recipe)["task"] == recipe.task
