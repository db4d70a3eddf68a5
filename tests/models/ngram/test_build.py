import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from models.ngram.texts import TEXT
from sprachbund.data.text.sources import open_text
from sprachbund.errors import DataError, RecipeError
from sprachbund.models.ngram.build import NgramConfig, build_ngram, spoken_form
from sprachbund.tokens.normalize import normalize_text, spell_numbers
from sprachbund.tokens.text import CharacterTokenizer

LETTERS = CharacterTokenizer.train(["abcdefz"])


def built(folder: Path, lines: list[str], **settings: object):
    return build_ngram([open_text(tiny.write_text(folder, lines))], NgramConfig(**settings))  # type: ignore[arg-type]  # as the tests name them


def test_text_is_normalised_and_numbers_are_spelled(tmp_path: Path) -> None:
    model = built(tmp_path, ["Hello, you THERE!", "2 cats"]).model
    assert model.words[3:] == ("cats", "hello", "there", "two", "you")
    raw = built(tmp_path, ["Hello, you THERE!", "2 cats"], is_raw=True).model
    assert raw.words[3:] == ("2", "Hello,", "THERE!", "cats", "you")
    assert built(tmp_path, ["2 Katzen"], language="de").model.words[3:] == ("katzen", "zwei")


@settings(deadline=None, max_examples=50)
@given(st.text("abcXÉ '-2,\u2019", max_size=20) | st.from_regex("[a-z ]{0,20}", fullmatch=True))
def test_the_short_way_to_the_spoken_form_changes_nothing(line: str) -> None:
    assert spoken_form(line) == normalize_text(spell_numbers(line, "en"))


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    count = built(tmp_path, ["a b", "", "  ", "...", "c"]).count
    assert (count.lines, count.empty_lines, count.wordless_lines, count.words) == (2, 2, 1, 3)


def test_several_sources_are_one_text(tmp_path: Path) -> None:
    sources = [open_text(tiny.write_text(tmp_path / name, lines)) for name, lines in (("1", ["a b"]), ("2", ["b c"]))]
    one = build_ngram(sources, NgramConfig(order=2))
    other = built(tmp_path, ["b c", "a b"], order=2)
    assert one.model.counts == other.model.counts
    assert one.model.sentence_log_prob(["a", "b", "c"]) == other.model.sentence_log_prob(["a", "b", "c"])
    assert [source["name"] for source in one.model.facts["sources"]] == [source.name for source in sources]
    assert json.loads(json.dumps(one.model.facts)) == one.model.facts


def test_a_vocabulary_makes_all_else_unknown(tmp_path: Path) -> None:
    result = built(tmp_path, ["a b c", "c d", "a"], order=2, vocabulary=("a", "c", "z"))
    assert result.model.words[3:] == ("a", "c", "z")
    assert result.count.unknown_words == 2
    # It is one like any other: here, the only one behind "a" and "c".
    same = built(tmp_path, ["a x c", "c x", "a"], order=2)
    assert result.model.counts == (6, same.model.counts[1])


@given(TEXT)
@settings(deadline=None, max_examples=15)
def test_rare_words_become_unknown_as_if_they_were_not_listed(tmp_path_factory, text) -> None:
    folder = tmp_path_factory.mktemp("text")
    lines = [" ".join(line) for line in text]
    words = [word for line in text for word in line]
    frequent = tuple(sorted({word for word in words if words.count(word) >= 2}))
    if not frequent:
        return
    rare = built(folder, lines, order=3, min_count=2)
    listed = built(folder, lines, order=3, vocabulary=frequent)
    assert rare.model.words == listed.model.words
    assert rare.model.log_probs.tolist() == listed.model.log_probs.tolist()
    assert rare.count.unknown_words == listed.count.unknown_words == sum(words.count(w) < 2 for w in words)


def test_tokens_of_a_tokenizer(tmp_path: Path) -> None:
    result = built(tmp_path, ["ab", "a b", "?", "日本"], order=2, level="tokens", tokenizer=LETTERS)
    assert set(result.model.words) == {"<unk>", "<s>", "</s>", *"|abcdefz"}
    assert result.model.level == "tokens"
    # The mark and two letters; two marks and two letters; one mark, and nothing known of two.
    assert (result.count.lines, result.count.words, result.count.wordless_lines) == (3, 10, 1)
    assert result.count.unknown_words == 2


def test_special_words_in_the_text_are_unknown_words(tmp_path: Path) -> None:
    result = built(tmp_path, ["<s> a </s> <unk>"], is_raw=True, order=2)
    assert result.model.words == ("<unk>", "<s>", "</s>", "a")
    assert result.count.unknown_words == 3


def test_pruning_leaves_out_what_is_rare(tmp_path: Path) -> None:
    lines = ["a b c"] * 3 + ["a d"]
    assert built(tmp_path, lines, order=3).model.counts == (7, 6, 5)
    assert built(tmp_path, lines, order=3, prune=(0, 0, 1)).model.counts == (7, 6, 3)
    assert built(tmp_path, lines, order=3, prune=(0, 1)).model.counts == (7, 4, 3)


def test_text_without_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no text to count"):
        built(tmp_path, ["", "..."])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"order": 0}, "order"),
        ({"order": 11}, "order"),
        ({"level": "tokens"}, "tokenizer"),
        ({"tokenizer": LETTERS}, "tokenizer"),
        ({"level": "tokens", "tokenizer": LETTERS, "min_count": 2}, "has a vocabulary"),
        ({"level": "tokens", "tokenizer": LETTERS, "vocabulary": ("a",)}, "has a vocabulary"),
        ({"min_count": 0}, "below 1"),
        ({"prune": (1,)}, "prune"),
        ({"prune": (0, 2, 1)}, "prune"),
        ({"prune": (0, 0, 0, 0, 1)}, "prune"),
    ],
    ids=list("0123456789"),
)
def test_settings_that_cannot_be_used_are_refused(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(RecipeError, match=re.compile(told)):
        NgramConfig(**wrong)  # type: ignore[arg-type]  # wrong on purpose
