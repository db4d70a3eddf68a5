from pathlib import Path
from typing import Any

import pytest

import tiny
from sprachbund.config import dump_yaml, from_mapping, to_mapping
from sprachbund.errors import RecipeError
from sprachbund.models.hubert.config import HubertConfig
from sprachbund.models.language_model.config import TransformerLanguageConfig
from sprachbund.models.sequence.config import SequenceConfig
from sprachbund.models.table import MODELS
from sprachbund.models.text_to_unit.config import TextToUnitConfig
from sprachbund.training.recipe import VERBS, load_recipe, shipped_recipes
from sprachbund.training.speech_recipes import EncoderPretrainingRecipe, PretrainingRecipe, RecognitionRecipe


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, "utf-8")
    return str(path)


CONFIGS: dict[str, Any] = {
    "text_to_unit": TextToUnitConfig,
    "unit_generation": SequenceConfig,
    "pronunciation": SequenceConfig,
    "language_modeling": TransformerLanguageConfig,
}


def _family(name: str) -> Any:
    """The configuration of a family; an encoder's that is named after its task is HuBERT's."""
    return MODELS[name][0] if name in MODELS else HubertConfig


SMALLEST = "task: recognition\ninit: some/model\nspeech: {train: [a.jsonl.gz]}\n"


def test_recipes_are_shipped() -> None:
    names = shipped_recipes()
    assert names == sorted(names)
    assert {"speecht5_tiny_pretrain", "speecht5_tiny_asr"} <= set(names)


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_is_valid(name: str) -> None:
    recipe = load_recipe(name)
    assert load_recipe(name, verb=VERBS[recipe.task]) == recipe
    # Written back resolved it is the same recipe.
    assert from_mapping(type(recipe), to_mapping(recipe), name) == recipe
    schedule = recipe.optimization.schedule
    assert schedule.total_steps == recipe.run.steps
    config = CONFIGS.get(recipe.task) or _family(recipe.model.kind or name.partition("_")[0])
    # Symbols, and units or phones where they must be told too.
    known = to_mapping(
        getattr(config, recipe.model.size)(
            *((30,) if config in (HubertConfig, TransformerLanguageConfig) else (30, 30))
        )
    )
    assert set(recipe.model.changes) <= set(known)


def test_a_recipe_may_extend_another(tmp_path: Path) -> None:
    parent = write(tmp_path, "parent.yaml", SMALLEST + "run: {steps: 5, seed: 2}\nmasking: {time: 0.1}\n")
    child = write(tmp_path, "child.yaml", f"extends: {parent}\nrun: {{seed: 9}}\nspeech: {{train: [b.jsonl.gz]}}\n")
    grandchild = write(tmp_path, "grandchild.yaml", f"extends: {child}\nrun: {{log_every: 7}}\n")
    recipe = load_recipe(grandchild)
    assert isinstance(recipe, RecognitionRecipe)
    assert (recipe.run.steps, recipe.run.seed, recipe.run.log_every, recipe.masking.time) == (5, 9, 7, 0.1)
    assert recipe.speech.train == ("b.jsonl.gz",)  # lists are replaced


def test_a_recipe_may_extend_a_shipped_one(tmp_path: Path) -> None:
    own = load_recipe(write(tmp_path, "own.yaml", "extends: speecht5_tiny_asr\nrun: {seed: 77}\n"))
    shipped = load_recipe("speecht5_tiny_asr")
    assert own.run.seed == 77
    assert to_mapping(own) | {"run": None} == to_mapping(shipped) | {"run": None}


def test_targets_of_another_kind_take_the_place_of_the_parents(tmp_path: Path) -> None:
    parent = load_recipe("hubert_tiny_mfcc")
    other = load_recipe(
        write(tmp_path, "other.yaml", "extends: hubert_tiny_mfcc\ntargets: {kind: random_projection, codes: 7}\n")
    )
    same = load_recipe(write(tmp_path, "same.yaml", "extends: hubert_tiny_mfcc\ntargets: {units: mine}\n"))
    assert isinstance(other, EncoderPretrainingRecipe)
    assert isinstance(same, EncoderPretrainingRecipe)
    assert to_mapping(other)["targets"] == {"kind": "random_projection", "codes": 7, "dim": 16, "seed": 1}
    assert to_mapping(same)["targets"] == {"kind": "units", "units": "mine"}
    assert to_mapping(other) | {"targets": None} == to_mapping(parent) | {"targets": None}


COMPARED = ("hubert_tiny_mfcc", "hubert_tiny_random_projection", "hubert_tiny_teacher", "wav2vec2_tiny")


def test_the_kinds_of_targets_are_compared_on_one_budget() -> None:
    """The same encoder, steps, batches and masks; manifests, targets and heads differ."""
    budgets = []
    for name in COMPARED:
        plain = to_mapping(load_recipe(name))
        plain["speech"] = {key: value for key, value in plain["speech"].items() if key not in ("train", "valid")}
        plain["model"]["changes"].pop("contrastive", None)
        # Two kinds have nothing to tell of frames that are heard.
        plain["objective"].pop("unmasked_weight")
        budgets.append(plain | {"targets": None})
    assert all(budget == budgets[0] for budget in budgets)
    assert len({str(to_mapping(load_recipe(name))["targets"]) for name in COMPARED}) == len(COMPARED)


def test_a_ring_of_recipes_is_refused(tmp_path: Path) -> None:
    one, other = str(tmp_path / "one.yaml"), str(tmp_path / "other.yaml")
    write(tmp_path, "one.yaml", f"extends: {other}\n")
    write(tmp_path, "other.yaml", f"extends: {one}\n")
    with pytest.raises(RecipeError, match="in a ring") as caught:
        load_recipe(one)
    assert f"{one} -> {other} -> {one}" in str(caught.value)
    with pytest.raises(RecipeError, match="in a ring"):
        load_recipe(write(tmp_path, "self.yaml", f"extends: {tmp_path / 'self.yaml'}\n"))


def test_overrides_come_last(tmp_path: Path) -> None:
    name = write(tmp_path, "a.yaml", SMALLEST + "run: {seed: 2}\n")
    overrides = ("run.seed=5", "optimization.schedule.peak=1e-4", "speech.train=[x.jsonl, y.jsonl]", "init=null")
    recipe = load_recipe(name, (*overrides, "tokenizer=some/tokenizer"))
    assert isinstance(recipe, RecognitionRecipe)
    assert (recipe.run.seed, recipe.optimization.schedule.peak) == (5, 1e-4)
    assert recipe.speech.train == ("x.jsonl", "y.jsonl")
    assert (recipe.init, recipe.tokenizer) == (None, Path("some/tokenizer"))


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("run.sede=1", "'seed'"),
        ("sppech.train=[]", "'speech'"),
        ("optimization.schedule.warm_up=1", "'warmup'"),
        ("masking.tme=0.1", "'time'"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_name(tmp_path: Path, override: str, told: str) -> None:
    with pytest.raises(RecipeError, match="not known") as caught:
        load_recipe(write(tmp_path, "a.yaml", SMALLEST), (override,))
    assert f"Did you mean {told}?" in str(caught.value)


@pytest.mark.parametrize(
    "override",
    [
        "run.steps=0",
        "run.steps=many",
        "run.seed=1.5",
        "run.accumulate=0",
        "run.log_every=0",
        "run.validate_every=-1",
        "run.checkpoint_every=0",
        "run.keep_checkpoints=0",
        "run.valid_clips=-1",
        "run.loader_workers=-1",
        "run.threads=-2",
        "speech.batch_seconds=0",
        "speech.max_seconds=-1.0",
        "speech.buckets=0",
        "speech.buckets=100000",
        "speech.min_seconds=-1",
        "run.loader_workers=100000",
        "run.threads=100000",
        "run.seed=9223372036854775808",
        "masking.time=1.5",
        "masking.time_length=0",
        "masking.channel=-0.1",
        "masking.channel_length=0",
        "optimization.betas=[1, 0.98]",
        "optimization.betas=[0.9, -0.1]",
        "optimization.epsilon=0",
        "optimization.clip_norm=-1",
        "optimization.clip_norm=.nan",
        "optimization.schedule.peak=.inf",
        "speech.train=a.jsonl.gz",
        "optimization.schedule.kind=cosine",
        "optimization.schedule.hold=0.9",
        "model.size=huge",
        "init=null",
        "speech=null",
    ],
)
def test_a_value_that_cannot_be_used_is_refused(tmp_path: Path, override: str) -> None:
    with pytest.raises(RecipeError):
        load_recipe(write(tmp_path, "a.yaml", SMALLEST), (override,))
    load_recipe(write(tmp_path, "a.yaml", SMALLEST))


def test_pretraining_needs_speech_or_text(tmp_path: Path) -> None:
    plain: dict[str, Any] = tiny.pretraining_recipe(tmp_path)
    assert isinstance(from_mapping(PretrainingRecipe, plain | {"speech": None}, "test"), PretrainingRecipe)
    assert isinstance(from_mapping(PretrainingRecipe, plain | {"text": None}, "test"), PretrainingRecipe)
    with pytest.raises(RecipeError, match="nothing is left to train on"):
        from_mapping(PretrainingRecipe, plain | {"text": None, "speech": None}, "test")


def test_the_wrong_verb_is_told() -> None:
    with pytest.raises(RecipeError, match="sprachbund pretrain"):
        load_recipe("speecht5_tiny_pretrain", verb="finetune")
    with pytest.raises(RecipeError, match="sprachbund finetune"):
        load_recipe("speecht5_tiny_asr", verb="pretrain")


@pytest.mark.parametrize("task", ["", "task: asr\n", "task: null\n", "task: [recognition]\n", "task: {a: 1}\n"])
def test_the_task_must_be_named(tmp_path: Path, task: str) -> None:
    with pytest.raises(RecipeError, match="'task'"):
        load_recipe(write(tmp_path, "a.yaml", f"{task}init: x\n"))


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="Did you mean 'speecht5_tiny_asr'"):
        load_recipe("speecht5_tiny_sr")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(str(tmp_path / "missing.yaml"))
    with pytest.raises(RecipeError, match="no such recipe"):
        load_recipe(write(tmp_path, "a.yaml", "extends: nothing_like_it\n"))
    with pytest.raises(RecipeError, match="not valid YAML"):
        load_recipe(write(tmp_path, "a.yaml", "task: [\n"))


def test_a_file_needs_no_suffix(tmp_path: Path) -> None:
    assert load_recipe(write(tmp_path, "recipe", SMALLEST)) == load_recipe(write(tmp_path, "a.yml", SMALLEST))


def test_the_recipes_of_the_tests_are_valid(tmp_path: Path) -> None:
    for plain in (tiny.pretraining_recipe(tmp_path), tiny.recognition_recipe(tmp_path)):
        name = write(tmp_path, "a.yaml", dump_yaml(plain))
        assert to_mapping(load_recipe(name))["run"]["steps"] == 6


@pytest.mark.parametrize("value", ["mask=-0.1", "mask=2", "mask_random=1.1", "span=0", "span=1000", "max_tokens=0"])
def test_text_noise_that_cannot_be_is_refused(value: str) -> None:
    with pytest.raises(RecipeError, match=rf"'text.{value.partition('=')[0]}' cannot be used"):
        load_recipe("speecht5_tiny_pretrain", (f"text.{value}",))
