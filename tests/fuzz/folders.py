"""Model folders, tokenizers and unit models: damaged files that hang together, so that damage reaches every reader."""

import hashlib
import json
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np

import tiny
from fuzz.kind import Kind, each, pick
from fuzz.mutations import damage_bytes, damage_json, damage_text, write_json
from sprachbund.cli.info import describe
from sprachbund.config import dump_yaml, to_mapping
from sprachbund.serving.load import load
from sprachbund.signal.features import mfcc
from sprachbund.tokens.text import SentencePieceTokenizer, load_tokenizer
from sprachbund.tokens.units import UnitModel
from sprachbund.tokens.vocabulary import SPECIAL_SYMBOLS
from sprachbund.training.recipe import load_recipe

TEXTS = ("", "a bad deed", "⁇ <s> | ▁", "ß\u0301\U0001f600\x00", "x" * 3000)
VOCABULARY_WORDS = (
    *("a 1", "a", "", " 1", "a -1", "a x", "<s> 1", "<mask> 1", "<ctc_blank> 1", "a 1 #fairseq:overwrite", "| 1"),
    *(
        "#fairseq:overwrite",
        "\u2028 1",
        "\r 1",
        "\ud800 1",
        "a" * 3000 + " 1",
        "a\t1",
        "a \u0661",
        "▁ 1",
        "\x00 1",
        "aa 1",
    ),
)


def prepare_models(folder: Path) -> None:
    tiny.write_model_folder(folder / "model")
    (folder / "model" / "recipe.yaml").write_text(dump_yaml(to_mapping(load_recipe("speecht5_tiny_asr"))))


def make_model(originals: Path, folder: Path, choice: random.Random, number: int) -> Path:
    model = folder / "model"
    (model / "tokenizer").mkdir(parents=True)
    for path in (originals / "model").rglob("*"):
        if path.is_file():
            (model / path.relative_to(originals / "model")).write_bytes(path.read_bytes())
    kind = choice.random()
    if kind < 0.5:
        header = json.loads((model / "config.json").read_text())
        # The configuration most of the time: the rest is short.
        if choice.random() < 0.7:
            header["config"] = damage_json(header["config"], choice)
        else:
            header = damage_json(header, choice)
        (model / "config.json").write_bytes(write_json(header, choice).encode("utf-8", "surrogatepass"))
    elif kind < 0.7:
        damage_safetensors(model / "model.safetensors", choice)
    elif kind < 0.85:
        damage_tokenizer(model / "tokenizer", choice)
        if choice.random() < 0.7:
            header = json.loads((model / "config.json").read_text())
            header["vocabulary"] = digest_of_vocabulary(model / "tokenizer" / "vocabulary.txt")
            (model / "config.json").write_text(json.dumps(header))
    else:
        path = pick(choice, sorted(path for path in model.rglob("*") if path.is_file()))
        path.write_bytes(damage_bytes(path.read_bytes(), choice))
    if choice.random() < 0.03:
        pick(choice, sorted(path for path in model.rglob("*") if path.is_file())).unlink()
    return model


def use_model(model: Path) -> None:
    each(lambda: describe(model), lambda: transcribe(model))


def transcribe(model: Path) -> None:
    recognizer = load(model)
    assert isinstance(recognizer.transcribe_waveforms([tiny.tone(4000)])[0].text, str)


def damage_safetensors(path: Path, choice: random.Random) -> None:
    """Damage to the header, whose length is told truly or not, or to the numbers."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 + size:
        return
    header, body = json.loads(content[8 : 8 + size]), content[8 + size :]
    kind = choice.random()
    if kind < 0.6:
        names = choice.sample(sorted(header), min(2, len(header)))
        changed = damage_json({name: header[name] for name in names}, choice)
        changed = changed if isinstance(changed, dict) else {"x": changed}
        text = write_json({**{key: header[key] for key in header if key not in names}, **changed}, choice)
        written = text.encode("utf-8", "surrogatepass")
    else:
        written = content[8 : 8 + size]
        body = damage_bytes(body, choice)
    told = len(written) if choice.random() < 0.9 else choice.choice((0, 1, 2**31, 2**63, 2**64 - 1, len(written) + 1))
    path.write_bytes(struct.pack("<Q", told) + written + body)


def digest_of_vocabulary(path: Path) -> str:
    """What the description of the tokenizer must say, so that a damaged vocabulary is not refused by its digest."""
    symbols = [line.rpartition(b" ")[0] for line in path.read_bytes().rstrip(b"\r\n").split(b"\n")]
    return hashlib.sha256(b"\n".join([*(symbol.encode() for symbol in SPECIAL_SYMBOLS), *symbols])).hexdigest()


def damage_tokenizer(folder: Path, choice: random.Random) -> None:
    description = json.loads((folder / "tokenizer.json").read_text())
    kind = choice.random()
    if kind < 0.35:
        text = damage_text((folder / "vocabulary.txt").read_text(), choice, VOCABULARY_WORDS)
        (folder / "vocabulary.txt").write_bytes(text.encode("utf-8", "surrogatepass"))
    elif kind < 0.7 and (folder / "sentencepiece.model").exists():
        damaged = damage_bytes((folder / "sentencepiece.model").read_bytes(), choice)
        (folder / "sentencepiece.model").write_bytes(damaged)
    else:
        description = damage_json(description, choice)
    if isinstance(description, dict) and choice.random() < 0.85:
        description["vocabulary"] = digest_of_vocabulary(folder / "vocabulary.txt")
        if "model" in description:
            description["model"] = hashlib.sha256((folder / "sentencepiece.model").read_bytes()).hexdigest()
    (folder / "tokenizer.json").write_bytes(write_json(description, choice).encode("utf-8", "surrogatepass"))


def prepare_tokenizers(folder: Path) -> None:
    tiny.character_tokenizer().save(folder / "character")
    for kind, size in (("char", None), ("unigram", 26), ("bpe", 30)):
        SentencePieceTokenizer.train(tiny.LINES * 4, vocab_size=size, model_type=kind).save(folder / kind)


def make_tokenizer(originals: Path, folder: Path, choice: random.Random, number: int) -> Path:
    original = originals / pick(choice, ("character", "char", "unigram", "bpe"))
    for path in original.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    damage_tokenizer(folder, choice)
    return folder


def use_tokenizer(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert all(0 <= index < len(tokenizer.vocabulary) for index in ids)
        assert isinstance(tokenizer.decode(ids), str)
    assert isinstance(tokenizer.decode(range(len(tokenizer.vocabulary))), str)
    assert tokenizer.word_start_ids()
    tokenizer.save(folder / "again")
    assert load_tokenizer(folder / "again").vocabulary == tokenizer.vocabulary


def prepare_units(folder: Path) -> None:
    tiny.unit_model().save(folder)


def make_units(originals: Path, folder: Path, choice: random.Random, number: int) -> Path:
    description = json.loads((originals / "units.json").read_text())
    (folder / "units.safetensors").write_bytes((originals / "units.safetensors").read_bytes())
    kind = choice.random()
    if kind < 0.4:
        damage_safetensors(folder / "units.safetensors", choice)
    elif kind < 0.8:
        description = damage_json(description, choice)
    else:
        path = folder / "units.safetensors"
        path.write_bytes(damage_bytes(path.read_bytes(), choice))
    if isinstance(description, dict) and choice.random() < 0.8:
        description["fingerprint"] = digest_of_units(folder / "units.safetensors", description)
    (folder / "units.json").write_bytes(write_json(description, choice).encode("utf-8", "surrogatepass"))
    return folder


def digest_of_units(path: Path, description: dict[str, Any]) -> str:
    """As far as it can be told from damaged files."""
    content = path.read_bytes()
    try:
        size = int.from_bytes(content[:8], "little")
        shape = json.loads(content[8 : 8 + size])["centroids"]["shape"]
        settings = json.dumps([str(description["feature"]), float(description["frame_shift"]), *shape])
        return hashlib.sha256(settings.encode() + content[8 + size :]).hexdigest()
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError):
        return str(description.get("fingerprint"))


def use_units(folder: Path) -> None:
    model = UnitModel.load(folder)
    assert model.num_units > 0
    assert 0 < model.label_rate < float("inf")
    units = model.assign(mfcc(tiny.tone(4000)))
    assert units.min() >= 0
    assert units.max() < model.num_units
    assert np.isfinite(model.centroids).all()
    model.save(folder / "again")
    assert UnitModel.load(folder / "again") == model


MODELS = Kind(1000, prepare_models, make_model, use_model)
TOKENIZERS = Kind(800, prepare_tokenizers, make_tokenizer, use_tokenizer)
UNIT_MODELS = Kind(500, prepare_units, make_units, use_units)
