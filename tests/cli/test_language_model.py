import gzip
from pathlib import Path

import pytest

import tiny
from commands import assert_refused, fingerprints, run_command
from sprachbund.models.ngram.store import load_ngram
from sprachbund.tokens.text import CharacterTokenizer

TEXT = ["Hello, you there!", "", "12 cats.", "...", "hello cats"]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return tiny.write_text(tmp_path / "text", TEXT)


def test_a_model_of_words_by_one_command(tmp_path: Path, text: Path) -> None:
    outcome = run_command("lm", "ngram", text, "--order", 2, "--out", tmp_path / "lm")
    assert outcome.err == ""
    assert outcome.out.splitlines() == [
        f"8 1-grams, 8 2-grams in {tmp_path / 'lm'}",
        "3 lines, 7 words, 0 of them unknown",
        "2 lines left out: 1 empty, 1 without a word",
        "usual discounts (0.5, 1, 1.5) for 1-grams, since no n-gram has the count 3",
        "usual discounts (0.5, 1, 1.5) for 2-grams, since no n-gram has the count 3",
    ]
    model = load_ngram(tmp_path / "lm")
    assert model.words[3:] == ("cats", "hello", "there", "twelve", "you")
    assert model.level == "words"


def test_a_model_of_tokens_and_its_perplexity(tmp_path: Path, text: Path) -> None:
    CharacterTokenizer.train(["hello you there twelve cats"]).save(tmp_path / "tokenizer")
    at = ("--tokenizer", tmp_path / "tokenizer")
    run_command("lm", "ngram", text, "--order", 3, "--level", "tokens", *at, "--out", tmp_path / "lm")
    outcome = run_command("lm", "perplexity", tmp_path / "lm", text, *at)
    assert outcome.out.startswith("perplexity of a token: "), outcome
    assert "bits of a character: " in outcome.out
    assert outcome.out.endswith("3 lines of 42 tokens, 0 of them (0.00%) unknown and left out\n")
    assert_refused(run_command("lm", "perplexity", tmp_path / "lm", text), "is of tokens", "--tokenizer")


def test_perplexity_of_words_leaves_unknown_ones_out(tmp_path: Path, text: Path) -> None:
    run_command("lm", "ngram", text, "--order", 1, "--out", tmp_path / "lm.arpa")
    held_out = tiny.write_text(tmp_path / "held-out", ["hello zebra", "cats"])
    outcome = run_command("lm", "perplexity", tmp_path / "lm.arpa", held_out)
    model = load_ngram(tmp_path / "lm.arpa")
    # "hello", the end, "cats", the end.
    nats = -(model.sentence_log_prob(["hello"]) + model.sentence_log_prob(["cats"]))
    assert outcome.out.startswith(f"perplexity of a word: {2.718281828 ** (nats / 4):.2f} (")
    assert "bits" not in outcome.out
    assert "2 lines of 5 words, 1 of them (20.00%) unknown and left out" in outcome.out


def test_a_model_of_words_is_measured_over_tokens_too(tmp_path: Path, text: Path) -> None:
    CharacterTokenizer.train(["hello you there twelve cats"]).save(tmp_path / "tokenizer")
    run_command("lm", "ngram", text, "--out", tmp_path / "lm")
    outcome = run_command("lm", "perplexity", tmp_path / "lm", text, "--tokenizer", tmp_path / "tokenizer")
    assert "3 lines of 42 tokens, 0 of them" in outcome.out, outcome


def test_in_and_out_again(tmp_path: Path, text: Path) -> None:
    run_command("lm", "ngram", text, "--order", 3, "--out", tmp_path / "one.arpa")
    assert run_command("lm", "import", tmp_path / "one.arpa", tmp_path / "lm").code == 0
    outcome = run_command("lm", "export", tmp_path / "lm", tmp_path / "two.arpa.gz")
    assert outcome.out == f"8 1-grams, 8 2-grams, 7 3-grams in {tmp_path / 'two.arpa.gz'}\n"
    assert gzip.decompress((tmp_path / "two.arpa.gz").read_bytes()) == (tmp_path / "one.arpa").read_bytes()
    assert_refused(run_command("lm", "export", tmp_path / "lm", tmp_path / "lm.txt"), "no name of an ARPA file")


def test_vocabulary_pruning_and_rare_words(tmp_path: Path, text: Path) -> None:
    (tmp_path / "words.txt").write_text("Hello 3\n\ncats\n")
    at = ("--order", 2, "--vocabulary", tmp_path / "words.txt")
    assert "7 words, 3 of them unknown" in run_command("lm", "ngram", text, *at, "--out", tmp_path / "1").out
    assert load_ngram(tmp_path / "1").words[3:] == ("cats", "hello")
    run_command("lm", "ngram", text, "--order", 2, "--min-count", 2, "--prune", "0,1", "--out", tmp_path / "2")
    assert load_ngram(tmp_path / "2").words[3:] == ("cats", "hello")
    assert load_ngram(tmp_path / "2").counts == (5, 2)


def test_what_cannot_be_done_is_told_and_nothing_is_left(tmp_path: Path, text: Path) -> None:
    before = fingerprints(tmp_path)
    out = ("--out", tmp_path / "lm")
    assert_refused(run_command("lm", "ngram", tmp_path / "none.txt", *out), "none.txt")
    assert_refused(run_command("lm", "ngram", text, "--prune", "0;1", *out), "no list of numbers", "0,0,1")
    assert_refused(run_command("lm", "ngram", text, "--prune", "1", *out), "prune")
    assert_refused(run_command("lm", "ngram", text, "--order", 11, *out), "order")
    assert_refused(run_command("lm", "ngram", text, "--level", "tokens", *out), "--tokenizer")
    assert_refused(run_command("lm", "ngram", text, "--out", text.parent), "cannot be written here")
    assert_refused(run_command("lm", "ngram", text, "--vocabulary", text.parent / "none", *out), "none")
    assert_refused(run_command("lm", "import", text, tmp_path / "lm"), "no ARPA file")
    assert_refused(run_command("lm", "perplexity", tmp_path, text), "no config.json in it")
    empty = tiny.write_text(tmp_path / "empty", ["", "..."])
    assert_refused(run_command("lm", "ngram", empty, *out), "no text to count")
    empty.unlink()
    assert fingerprints(tmp_path) == before
