"""Recipes and overrides: damaged text and values, and YAML that means harm."""

import random
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from fuzz.kind import Kind, pick
from fuzz.mutations import damage_bytes, damage_text
from sprachbund.config import dump_yaml, from_mapping, to_mapping
from sprachbund.training.recipe import load_recipe, shipped_recipes

SOUND = (
    *("null", "~", "true", "yes", "0", "-1", "1", "3.5", "1e-4", "1e999", "-1e999", ".nan", ".inf", "-.inf", ".NaN"),
    *(
        "tiny",
        "base",
        "tri_stage",
        "[0.9, 0.98]",
        "[a, b]",
        "{a: 1}",
        "1e-9",
        "1e9",
        "-0.5",
        "0.5",
        "2",
        "1000",
        "runs/x",
    ),
)
WORDS = (
    *(
        "0x10",
        "0o17",
        "1_000",
        "1:30",
        "9" * 30,
        "9" * 5000,
        "-" + "9" * 40,
        "2020-01-01",
        "[]",
        "{}",
        "[1, 2]",
        "[.nan]",
    ),
    *("''", "' '", "!!binary aGk=", "!!set {a}", "!!bool x", "!!int ''", "!!float x", "!!timestamp x", "!!null x"),
    *("!!python/object:os.system now", "!!python/object/apply:os.system ['touch executed']", "!!python/name:os.system"),
    *(
        "!!python/object/new:subprocess.Popen [[touch, executed]]",
        "!!python/module:os",
        "!!omap [a: 1]",
        "!!pairs [a: 1]",
    ),
    *(
        "!python/tuple [1]",
        "!include /etc/passwd",
        "&a [*a]",
        "*a",
        "&a x",
        "{<<: {a: 1}}",
        "<<",
        "? [a]",
        "|",
        ">",
        "---",
    ),
    *(
        "a" * 5000,
        "/etc/passwd",
        "/dev/stdin",
        "/",
        "..",
        "\\x00",
        "[" * 600,
        "{a: " * 300,
        "\u202e",
        "tiny",
        "huge",
        "base",
    ),
    *("extends: speecht5_tiny_asr", "tri_stage", "recognition", "pretraining", "$(touch executed)", "`touch executed`"),
)
KEYS = (
    *(
        "task",
        "extends",
        "init",
        "tokenizer",
        "units",
        "model",
        "speech",
        "text",
        "masking",
        "objective",
        "run",
        "loss",
    ),
    *("model.size", "model.changes", "model.changes.encoder.dim", "model.changes.encoder", "model.changes.conv_layers"),
    *(
        "speech.train",
        "speech.batch_seconds",
        "speech.max_seconds",
        "speech.min_seconds",
        "speech.buckets",
        "text.mask",
    ),
    *(
        "text.span",
        "text.max_tokens",
        "text.tokens_per_sample",
        "masking.time",
        "masking.time_length",
        "masking.channel",
    ),
    *(
        "optimization",
        "optimization.betas",
        "optimization.epsilon",
        "optimization.clip_norm",
        "optimization.schedule.peak",
    ),
    *("optimization.schedule.kind", "optimization.schedule.total_steps", "optimization.schedule.warmup", "run.seed"),
    *("run.steps", "run.accumulate", "run.valid_clips", "run.loader_workers", "run.threads", "run.checkpoint_every"),
    *("", "a", "run.", ".run", "run..seed", "run.seed.x", "speech.train.0", "model.changes.a.b.c.d.e.f", "__class__"),
)
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)
HOSTILE: tuple[Callable[[], bytes], ...] = (
    LAUGHS.encode,
    (LAUGHS + "task: recognition\nmodel: {changes: {a: *j}}\n").encode,
    lambda: b"a: &a\n  b: *a\n",
    lambda: b"task: recognition\nspeech: {train: [a]}\ntokenizer: b\nmodel: {changes: &a {b: *a}}\n",
    lambda: b"".join(b"k%d: 1\n" % number for number in range(100_000)),
    lambda: b"[" * 1_000_000,
    lambda: b"{a: " * 300_000,
    lambda: b"- " * 500_000,
    lambda: b"a: " + b"9" * 3_000_000,
    lambda: b"a: 1:" + b"59:" * 200_000 + b"1",
    lambda: b"a: " + b"x" * 30_000_000,
    lambda: b"? " * 200_000,
    lambda: b"a: !!binary " + b"A" * 3_000_000,
    lambda: b"%YAML 9.9\n---\na: 1\n",
    lambda: b"a: 1\n---\nb: 2\n",
    lambda: b"\xff\xfea\x00:\x00 \x001\x00",
    lambda: b"\xef\xbb\xbftask: recognition\n",
    lambda: b"",
    lambda: b"\x00" * 1_000_000,
    lambda: b"#" * 5_000_000,
    lambda: b"\n" * 5_000_000,
    lambda: b"a: 0." + b"1" * 2_000_000 + b"e5",
    lambda: b"a: '" + b"''" * 500_000 + b"'",
)


def prepare(folder: Path) -> None:
    for name in shipped_recipes():
        (folder / f"{name}.yaml").write_text((resources.files("sprachbund.recipes") / f"{name}.yaml").read_text())
        (folder / f"{name}-whole.yaml").write_text(dump_yaml(to_mapping(load_recipe(name))))


def make(originals: Path, folder: Path, choice: random.Random, number: int) -> tuple[str, tuple[str, ...]]:
    path = folder / "recipe.yaml"
    if 0 <= number < len(HOSTILE):
        path.write_bytes(HOSTILE[number]())
        return str(path), ()
    content = (originals / pick(choice, sorted(entry.name for entry in originals.iterdir()))).read_bytes()
    kind = choice.random()
    if kind < 0.55:
        content = damage_text(content.decode(), choice, SOUND if choice.random() < 0.6 else WORDS).encode(
            "utf-8", "surrogatepass"
        )
    elif kind < 0.65:
        content = damage_bytes(content, choice, other=LAUGHS.encode())
    path.write_bytes(content)
    number_of_overrides = choice.randrange(3) if kind < 0.65 else choice.choice((1, 1, 1, 2, 4))
    return str(path), tuple(f"{pick(choice, KEYS)}={word(choice)}" for _ in range(number_of_overrides))


def word(choice: random.Random) -> str:
    return str(pick(choice, SOUND if choice.random() < 0.6 else WORDS))


def use(thing: tuple[str, tuple[str, ...]]) -> None:
    recipe = load_recipe(*thing)
    plain = to_mapping(recipe)
    # What is written beside the weights says the same.
    assert from_mapping(type(recipe), plain, "again") == recipe


RECIPES = Kind(1800, prepare, make, use)
