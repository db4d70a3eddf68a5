import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.decoding.language.automata import Automaton
from sprachbund.decoding.language.weighted_automata import WeightedAutomata
from sprachbund.shapes import Float, Int, Tensor

VOCAB = 5
CPU = torch.device("cpu")


class Table:
    """Log-probabilities that depend on the last `width` tokens, as random as their seed."""

    def __init__(self, seed: int, width: int, never: tuple[int, ...] = ()) -> None:
        self.width = width
        generator = torch.Generator().manual_seed(seed)
        self.table = torch.randn((VOCAB + 1) ** width, VOCAB, generator=generator).log_softmax(dim=1)
        self.table[:, list(never)] = -torch.inf

    def start(self, num_rows: int, device: torch.device) -> Int[Tensor, "row part"]:
        return torch.full((num_rows, self.width), VOCAB, device=device)

    def log_probs(self, states: Int[Tensor, "row part"]) -> Float[Tensor, "row vocab"]:
        places = torch.tensor([(VOCAB + 1) ** place for place in range(self.width)])
        return self.table[(states * places).sum(dim=1)]

    def advance(self, states: Int[Tensor, "row part"], tokens: Int[Tensor, " row"]) -> Int[Tensor, "row part"]:
        return torch.cat([states[:, 1:], tokens[:, None]], dim=1)


def test_it_is_an_automaton():
    assert isinstance(WeightedAutomata([(Table(0, 1), 1.0)]), Automaton)
    for parts in ([], [(Table(0, 1), 0.0)]):
        with pytest.raises(AssertionError):
            WeightedAutomata(parts)


@given(
    widths=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    weights=st.lists(st.floats(0.01, 3.0), min_size=3, max_size=3),
    sentences=st.lists(st.lists(st.integers(0, VOCAB - 1), min_size=4, max_size=4), min_size=1, max_size=3),
)
def test_every_step_adds_what_the_parts_say_alone(widths: list[int], weights: list[float], sentences: list[list[int]]):
    parts = [
        (Table(number, width), weight) for number, (width, weight) in enumerate(zip(widths, weights, strict=False))
    ]
    whole = WeightedAutomata(parts)
    states, alone = whole.start(len(sentences), CPU), [part.start(len(sentences), CPU) for part, _ in parts]
    for tokens in torch.tensor(sentences).T:
        wanted = sum(weight * part.log_probs(state) for (part, weight), state in zip(parts, alone, strict=True))
        assert torch.allclose(whole.log_probs(states), torch.as_tensor(wanted))
        # Rows may be mixed at will.
        assert torch.equal(whole.log_probs(states.flip(0)), whole.log_probs(states).flip(0))
        states = whole.advance(states, tokens)
        alone = [part.advance(state, tokens) for (part, _), state in zip(parts, alone, strict=True)]


def test_what_one_of_them_cannot_say_is_not_said():
    whole = WeightedAutomata([(Table(0, 1, never=(2,)), 0.5), (Table(1, 2, never=(4,)), 2.0)])
    log_probs = whole.log_probs(whole.start(2, CPU))
    assert (log_probs == -torch.inf).nonzero()[:, 1].tolist() == [2, 4, 2, 4]
    assert not log_probs.isnan().any()
