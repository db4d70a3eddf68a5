import math
from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from models.language_model.sizes import build
from sprachbund.decoding.language.neural import NeuralScorer
from sprachbund.decoding.language.symbol_map import SymbolMap
from sprachbund.errors import DataError
from sprachbund.evaluation.perplexity import ROWS_AT_ONCE, measure_perplexity, score_lines
from sprachbund.shapes import Float, Int, Tensor
from sprachbund.tokens.text import CharacterTokenizer
from sprachbund.tokens.vocabulary import EOS, Vocabulary

TOKENIZER = tiny.character_tokenizer()
SIZE = len(TOKENIZER.vocabulary)
MODEL = build(vocab_size=SIZE)


class Constant:
    """The same probabilities after everything; the rows it was given are noted."""

    def __init__(self, num_rows: int, probabilities: Sequence[float]) -> None:
        self.num_rows, self.log_probs = num_rows, torch.tensor(probabilities).log()

    def score(self, last_tokens: Int[Tensor, " row"]) -> Float[Tensor, "row vocab"]:
        assert len(last_tokens) == self.num_rows
        return self.log_probs.expand(self.num_rows, -1)

    def reorder(self, rows: Int[Tensor, " kept"]) -> None:
        self.num_rows = len(rows)


def constant(*impossible: int) -> Callable[[int], Constant]:
    return lambda rows: Constant(rows, [0.0 if token in impossible else 1 / 8 for token in range(SIZE)])


def neural(rows: int) -> NeuralScorer:
    return NeuralScorer(MODEL, SymbolMap.by_place(SIZE, SIZE), rows)


def test_equally_likely_tokens_have_their_number_as_perplexity() -> None:
    found = measure_perplexity(constant(), ["ab a", "", "  bead   a "], TOKENIZER)
    # | a b | a </s>, and | b e a d | a </s>.
    assert (found.num_lines, found.num_tokens, found.num_words, found.num_characters) == (2, 14, 6, 12)
    assert found.nats == pytest.approx(14 * math.log(8))
    assert found.per_token.value == pytest.approx(8)
    assert found.bits_per_character.value == pytest.approx(3 * 14 / 12)
    assert found.per_word.value == pytest.approx(8 ** (14 / 6))
    assert (found.per_token.low, found.per_token.high) == (pytest.approx(8), pytest.approx(8))
    assert found.bits_per_character.low < found.bits_per_character.value < found.bits_per_character.high
    assert found.unknown == {}


def test_what_the_model_cannot_say_is_left_out_and_told() -> None:
    lacking = TOKENIZER.vocabulary.id_of("b")
    found = measure_perplexity(constant(lacking, 3), ["ab a", "bead #b"], TOKENIZER)
    assert found.unknown == {"b": 3, "<unk>": 1}
    assert found.num_tokens == 15 - 4
    assert found.per_token.value == pytest.approx(8)
    assert found.num_characters == 5 + 8


@settings(deadline=None, max_examples=10)
@given(lines=st.lists(st.lists(st.integers(4, SIZE - 1), max_size=6), min_size=1, max_size=5))
def test_a_line_costs_the_same_in_any_company(lines: list[list[int]]) -> None:
    together = score_lines(neural, lines)
    for line, scored in zip(lines, together, strict=True):
        alone = score_lines(neural, [line])[0]
        assert scored.nats == pytest.approx(alone.nats, abs=1e-4)
        assert scored.num_tokens == len(line) + 1
        with torch.no_grad():
            logits = MODEL.predict_next(torch.tensor([[EOS, *line]]))[0]
        wanted = torch.nn.functional.cross_entropy(logits, torch.tensor([*line, EOS]), reduction="sum")
        assert scored.nats == pytest.approx(float(wanted), abs=1e-4)


def test_more_lines_than_are_scored_at_once() -> None:
    lines = [[4] * (place % 3) for place in range(ROWS_AT_ONCE + 5)]
    assert [line.num_tokens for line in score_lines(constant(), lines)] == [len(line) + 1 for line in lines]


def test_the_interval_is_that_of_lines_and_holds_the_figure() -> None:
    lines = list(tiny.LINES)
    found, again = (measure_perplexity(neural, order, TOKENIZER) for order in (lines, lines[::-1]))
    for figure in (found.per_token, found.per_word, found.bits_per_character):
        assert figure.low < figure.value < figure.high
    assert found.per_token.low == pytest.approx(again.per_token.low, rel=1e-4)
    assert measure_perplexity(neural, lines * 9, TOKENIZER).per_token.low > found.per_token.low


def test_figures_compare_across_vocabularies() -> None:
    """Of two that find every token equally likely, the one that needs fewer tokens finds words likelier."""
    lines = ["ab", "ab ab"]
    pairs = CharacterTokenizer(Vocabulary("|x"))
    one = measure_perplexity(constant(), lines, TOKENIZER)
    shorter = [line.replace("ab", "x") for line in lines]
    other = measure_perplexity(lambda rows: Constant(rows, [1 / 8] * 6), shorter, pairs)
    assert one.per_token.value == pytest.approx(other.per_token.value)
    assert one.per_word.value > other.per_word.value
    assert one.nats / one.num_words == pytest.approx(math.log(one.per_word.value))


@pytest.mark.parametrize("lines", [[], ["", " "]], ids=["none", "empty"])
def test_no_text_is_an_error(lines: list[str]) -> None:
    with pytest.raises(DataError, match="no text to measure a language model on"):
        measure_perplexity(constant(), lines, TOKENIZER)


def test_a_model_that_knows_nothing_is_an_error() -> None:
    with pytest.raises(DataError, match="no text to measure a language model on"):
        measure_perplexity(constant(*range(SIZE)), ["ab"], TOKENIZER)


def test_a_hopeless_model_has_an_infinite_perplexity() -> None:
    hopeless = [1e-38] * SIZE
    found = measure_perplexity(lambda rows: Constant(rows, hopeless), ["a" * 40], TOKENIZER)
    assert found.per_word.value == math.inf and math.isfinite(found.bits_per_character.value)
