from pathlib import Path

import pytest

import tiny
from sprachbund.data.batches.collate import (
    TextCollator,
)
from sprachbund.data.streams import TextStream
from sprachbund.errors import DataError
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
