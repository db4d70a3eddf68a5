import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.language_model.sizes import VOCAB_SIZE, build
from sprachbund.decoding.language.neural import NeuralScorer
from sprachbund.decoding.language.symbol_map import SymbolMap
from sprachbund.decoding.search.roles import Scorer
from sprachbund.errors import CheckpointError, DataError
from sprachbund.tokens.vocabulary import ADDED_SYMBOLS, EOS, Vocabulary

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
MODEL = build(seed=1)
LM = Vocabulary("abcdefghi")  # as many as the model has, in another order than the recogniser's
RECOGNIZER = Vocabulary("ihgfedcba").with_symbols(*ADDED_SYMBOLS)
SYMBOLS = SymbolMap.by_symbol(RECOGNIZER, LM)
some_lines = st.lists(st.lists(st.integers(4, 12), min_size=3, max_size=3), min_size=1, max_size=4)


def wanted(line: list[int]) -> torch.Tensor:
    """Log-probabilities after each token of a line of the recogniser, computed at once and mapped one by one."""
    with torch.no_grad():
        fed = [LM.id_of(RECOGNIZER.symbol_of(token)) if token > 3 else token for token in (EOS, *line)]
        log_probs = MODEL.predict_next(torch.tensor([fed]))[0].log_softmax(dim=1)
    found = torch.full((len(fed), len(RECOGNIZER)), -torch.inf)
    for token, symbol in enumerate(RECOGNIZER.symbols):
        if token == EOS or 4 <= token < VOCAB_SIZE:
            found[:, token] = log_probs[:, LM.id_of(symbol) if token > 3 else token]
    return found


@settings(deadline=None, max_examples=15)
@given(lines=some_lines)
def test_a_step_at_a_time_is_the_whole_line(lines: list[list[int]]) -> None:
    scorer = NeuralScorer(MODEL, SYMBOLS, len(lines))
    assert isinstance(scorer, Scorer)
    tokens = torch.tensor([[EOS, *line] for line in lines])
    steps = torch.stack([scorer.score(tokens[:, place]) for place in range(4)], dim=1)
    torch.testing.assert_close(steps, torch.stack([wanted(line) for line in lines]), **CLOSE)


@settings(deadline=None, max_examples=15)
@given(rows=st.lists(st.integers(0, 2), min_size=1, max_size=5))
def test_rows_go_on_as_hypotheses_do(rows: list[int]) -> None:
    lines = [[4, 5, 6], [7, 8, 9], [12, 4, 4]]
    scorer = NeuralScorer(MODEL, SYMBOLS, 3)
    for place in range(3):
        scorer.score(torch.tensor([[EOS, *line][place] for line in lines]))
    scorer.reorder(torch.tensor(rows))
    found = scorer.score(torch.tensor([lines[row][2] for row in rows]))
    torch.testing.assert_close(found, torch.stack([wanted(lines[row])[3] for row in rows]), **CLOSE)


def test_probabilities_are_those_of_the_whole_vocabulary_of_the_model() -> None:
    """What the model gives to its own specials is given to nobody."""
    total = NeuralScorer(MODEL, SYMBOLS, 1).score(torch.tensor([EOS])).exp().sum()
    own = MODEL.predict_next(torch.tensor([[EOS]]))[0, 0].softmax(dim=0)
    torch.testing.assert_close(total, 1 - own[[0, 1, 3]].sum(), **CLOSE)


def test_values_that_are_no_numbers_are_told() -> None:
    broken = build()
    with torch.no_grad():
        broken.head.weight[4] = torch.nan
    with pytest.raises(CheckpointError, match="language model gives values that are not numbers"):
        NeuralScorer(broken, SYMBOLS, 1).score(torch.tensor([EOS]))


def test_a_hypothesis_beyond_learned_positions_is_told() -> None:
    scorer = NeuralScorer(build(positions="learned", max_positions=2), SYMBOLS, 1)
    for _ in range(2):
        scorer.score(torch.tensor([EOS]))
    with pytest.raises(DataError, match="longer than the positions"):
        scorer.score(torch.tensor([4]))
