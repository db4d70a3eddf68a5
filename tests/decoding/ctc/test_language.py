import torch

from decoding.ctc_oracle import TableLanguage
from sprachbund.decoding.ctc.language import PrefixLanguage
from sprachbund.decoding.ctc.prefixes import Step

CPU = torch.device("cpu")


class Counted(TableLanguage):
    """Counts how many rows it is asked for."""

    asked = 0

    def log_probs(self, states):
        self.asked += len(states)
        return super().log_probs(states)


def step_of(origins, tokens):
    return Step(torch.tensor(origins), torch.tensor(tokens))


def test_each_slot_is_asked_after_its_own_tokens():
    automaton = TableLanguage(5, 1)
    language = PrefixLanguage(automaton, 2, CPU)
    candidates = torch.tensor([[1, 4], [3, 0]])
    assert torch.equal(language.gains(candidates, 1)[:, 0], automaton.table[-1][candidates].double())
    language.follow(step_of([[0, 0], [0, 0]], [[-1, 3], [4, -1]]))
    before = torch.tensor([[-1, 3], [4, -1]])
    assert torch.equal(language.gains(candidates, 2)[1, 0], automaton.table[4][candidates[1]].double())
    assert torch.equal(language.ends(2, 2), automaton.table[before, 2])
    language.follow(step_of([[1, 1, 0], [1, 0, 0]], [[-1, 0, 1], [2, -1, 1]]))
    before = torch.tensor([[3, 0, 1], [2, 4, 1]])
    assert torch.equal(language.ends(2, 3), automaton.table[before, 2])
    language.keep(1)
    assert torch.equal(language.ends(2, 3), automaton.table[before[:1], 2])


def test_only_prefixes_that_grew_are_asked_again():
    automaton = Counted(5, 1)
    language = PrefixLanguage(automaton, 2, CPU)
    assert automaton.asked == 2
    language.follow(step_of([[0, 0], [0, 0]], [[-1, -1], [-1, -1]]))
    assert automaton.asked == 2
    language.follow(step_of([[0, 1], [1, 0]], [[-1, 3], [-1, -1]]))
    assert automaton.asked == 3


def test_without_a_language_model_nothing_is_added():
    language = PrefixLanguage(None, 3, CPU)
    language.follow(step_of([[0, 0]] * 3, [[1, -1]] * 3))
    language.keep(2)
    assert language.gains(torch.zeros(2, 4, dtype=torch.long), 2).tolist() == [[[0.0] * 4] * 2] * 2
    assert language.ends(2, 5).tolist() == [[0.0] * 5] * 2
