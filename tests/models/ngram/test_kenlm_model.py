import importlib.util
import math
from pathlib import Path

import pytest
import torch

from models.ngram.texts import model_of
from sprachbund.decoding.language.ngrams import ngram_automaton
from sprachbund.decoding.language.word_ngram import WordModel
from sprachbund.errors import DataError
from sprachbund.models.ngram.arpa import write_arpa
from sprachbund.models.ngram.kenlm_model import KenlmModel, is_kenlm_binary, read_words
from sprachbund.models.ngram.store import is_ngram, load_any_ngram, load_ngram
from sprachbund.tokens.text import CharacterTokenizer

MAGIC = b"mmap lm http://kheafield.com/code format version 5\n\0"
needs_kenlm = pytest.mark.skipif(importlib.util.find_spec("kenlm") is None, reason="the extra kenlm is not installed")


def test_words_stand_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    # Numbers that happen to look like a word come before.
    path.write_bytes(MAGIC + b"\x01<unk>\0\x02\x03" + "<unk>\0<s>\0</s>\0né\0ab\0".encode())
    assert read_words(path) == ["<unk>", "<s>", "</s>", "né", "ab"]
    assert is_kenlm_binary(path)
    assert is_ngram(path)


@pytest.mark.parametrize("tail", [b"", b"<unk>\0<s>\0cut", b"<unk>\0\0", b"<unk>\0\xff\xfe\0"])
def test_files_without_sound_words_are_refused(tmp_path: Path, tail: bytes) -> None:
    (tmp_path / "m.bin").write_bytes(MAGIC + b"numbers" + tail)
    with pytest.raises(DataError, match="words"):
        read_words(tmp_path / "m.bin")


def test_other_files_are_no_binaries(tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(b"something else")
    for path in (tmp_path, tmp_path / "m.bin", tmp_path / "none"):
        assert not is_kenlm_binary(path)


def test_without_the_library_a_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.bin").write_bytes(MAGIC + b"<unk>\0<s>\0</s>\0a\0")
    monkeypatch.setitem(__import__("sys").modules, "kenlm", None)
    with pytest.raises(DataError, match=r"pip install 'sprachbund\[kenlm\]'"):
        load_any_ngram(tmp_path / "m.bin")
    with pytest.raises(DataError, match="cannot be read"):
        load_ngram(tmp_path / "m.bin")


@needs_kenlm
def test_a_damaged_binary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(MAGIC + b"<unk>\0<s>\0</s>\0a\0")
    with pytest.raises(DataError, match="KenLM cannot read"):
        load_any_ngram(tmp_path / "m.bin")


@needs_kenlm
def test_it_scores_as_our_own_model(tmp_path: Path) -> None:
    own = model_of([["a", "b", "c"], ["a", "b"], ["b", "a", "a"], ["c"]], 3)
    write_arpa(own, tmp_path / "m.arpa")
    theirs = KenlmModel(tmp_path / "m.arpa", own.words)
    assert isinstance(theirs, WordModel)
    assert theirs.words == own.words
    torch.testing.assert_close(theirs.word_log_probs()[2:], own.word_log_probs()[2:], atol=1e-5, rtol=0)
    letters = CharacterTokenizer.train(["abcde"])
    one, other = ngram_automaton(own, letters), ngram_automaton(theirs, letters)
    states = [automaton.start(2, torch.device("cpu")) for automaton in (one, other)]
    for said in (letters.encode("a b c b e d a"), letters.encode("a b c b e d a")):
        for token in said:
            scores = [automaton.log_probs(state) for automaton, state in zip((one, other), states, strict=True)]
            torch.testing.assert_close(scores[0], scores[1], atol=1e-4, rtol=0)
            last = torch.tensor([token, letters.encode("a")[0]])
            states = [automaton.advance(state, last) for automaton, state in zip((one, other), states, strict=True)]
    assert not math.isnan(float(scores[1].sum()))
