import json
from pathlib import Path

import pytest

import tiny
from line_work import write_units
from sprachbund.data.batches.collate import (
    TextCollator,
)
from sprachbund.data.streams import TextStream
from sprachbund.data.text import encoding
from sprachbund.errors import DataError
from sprachbund.training.assembly.parts import Assembly
from training.assembly.building import build


def test_text_batches_hold_the_published_share_of_speech(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    share = {"text": {"tokens_per_sample": 0.01, "max_tokens": 100}}
    for changes, expected in (
        (share, 480),  # of 3 s
        ({"text": {"max_tokens": 300, "tokens_per_sample": 0.001}}, 300),
        ({**share, "speech": None}, 14_000),  # of the published 87.5 s
    ):
        stream = build(plain, changes)[0].streams["text"]
        assert isinstance(stream, TextStream)
        assert stream.batch_tokens == expected


def test_long_and_empty_lines_are_left_out_and_told(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    text = tiny.write_text(tmp_path / "more", ["ab", "", "   ", "abc " * 20, "cab"])
    assembly, told = build(plain, {"text": {"train": [str(text)]}})
    stream = assembly.streams["text"]
    assert isinstance(stream, TextStream)
    tokenizer = tiny.character_tokenizer()
    assert [stream.line(number).tokens.tolist() for number in range(len(stream))] == [
        tokenizer.encode("ab"),
        tokenizer.encode("cab"),
    ]
    assert "1 lines of text are longer than 60 tokens" in told
    assert "2 lines of text are empty" in told
    with pytest.raises(DataError, match="no line of text"):
        build(plain, {"text": {"train": [str(tiny.write_text(tmp_path / "none", ["", " "]))]}})
    with pytest.raises(DataError, match="cannot be read"):
        build(plain, {"text": {"train": [str(tmp_path / "missing.txt")]}})
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="not UTF-8"):
        build(plain, {"text": {"train": [str(tmp_path / "binary.txt")]}})


def test_the_noise_is_that_of_the_recipe(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    assembly, _ = build(plain, {"text": {"mask": 0.5, "span": 2.0, "mask_random": 0.25}})
    collator = assembly.collators["text"]
    assert isinstance(collator, TextCollator)
    assert (collator.noise.mask_ratio, collator.noise.poisson_rate, collator.noise.random_ratio) == (0.5, 2.0, 0.25)
    assert collator.codebook_probability == 0.2


def test_every_kind_of_source_gives_the_same_lines(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    text = tiny.write_text(tmp_path / "more", ["ab", "cab", "bead"])
    records = "".join(json.dumps({"text": line, "said": "dad"}) + "\n" for line in ("ab", "cab", "bead"))
    (tmp_path / "a.jsonl").write_text(records)
    store = write_units(tmp_path / "store", [([1], "ab"), ([], "cab"), ([2], "bead")])
    manifest = tiny.write_corpus(tmp_path / "speech", 3, name="few")
    expected = [tiny.character_tokenizer().encode(line) for line in ("ab", "cab", "bead")]
    for source in (text, tmp_path / "a.jsonl", store, f"{store}#text"):
        assert tokens_of(build(plain, {"text": {"train": [str(source)]}})[0]) == expected
    several = {"text": {"train": [str(manifest), f"{tmp_path / 'a.jsonl'}#said"]}}
    assert tokens_of(build(plain, several)[0]) == [
        tiny.character_tokenizer().encode(line) for line in (*tiny.TEXTS[:3], "dad", "dad", "dad")
    ]


def test_a_large_text_gives_the_same_batches_from_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    monkeypatch.setenv("SPRACHBUND_CACHE", str(tmp_path / "cache"))
    small, _ = build(plain)
    assert not (tmp_path / "cache").exists()
    monkeypatch.setattr(encoding, "SMALL", 0)
    large, _ = build(plain)
    assert list((tmp_path / "cache" / "encoded").iterdir())
    assert tokens_of(large) == tokens_of(small)
    for plan, same in zip(large.streams["text"].plans(1), small.streams["text"].plans(1), strict=True):
        assert tiny.differences(large.collators["text"](plan, 3), small.collators["text"](same, 3)) == []


def test_the_first_lines_are_held_out(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path, valid_clips=3)
    held = tiny.write_text(tmp_path / "held", tiny.LINES[:5])
    assembly, _ = build(plain, {"text": {"valid": [str(held)]}, "speech": None})
    assert [name for micro in assembly.held_out for name in micro["text"].ids] == [
        f"line-{number:09d}" for number in range(3)
    ]


def tokens_of(assembly: Assembly) -> list[list[int]]:
    stream = assembly.streams["text"]
    assert isinstance(stream, TextStream)
    return [stream.line(number).tokens.tolist() for number in range(len(stream))]
