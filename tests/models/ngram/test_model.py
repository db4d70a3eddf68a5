from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ngram.texts import ALL_WORDS, SENTENCE, TEXT, model_of, state_after
from sprachbund.models.ngram.model import BEGIN, END, NgramTable, assemble, word_list_model


@given(TEXT, st.integers(1, 4), SENTENCE)
@settings(deadline=None, max_examples=20)
def test_a_step_says_what_all_words_say(text, order, said) -> None:
    model = model_of(text, order)
    states = state_after(model, said).repeat(len(ALL_WORDS))
    log_probs, _ = model.step(states, torch.arange(len(ALL_WORDS)))
    torch.testing.assert_close(model.next_log_probs(states[:1])[0], log_probs)


@given(TEXT, st.integers(1, 4), st.lists(SENTENCE, min_size=1, max_size=6))
@settings(deadline=None, max_examples=20)
def test_rows_know_nothing_of_each_other(text, order, histories) -> None:
    model = model_of(text, order)
    states = torch.cat([state_after(model, said) for said in histories])
    together = model.next_log_probs(states)
    words = torch.arange(len(states)) % len(ALL_WORDS)
    log_probs, nexts = model.step(states, words)
    for row in range(len(states)):
        torch.testing.assert_close(model.next_log_probs(states[row : row + 1])[0], together[row], rtol=0, atol=0)
        alone = model.step(states[row : row + 1], words[row : row + 1])
        assert (float(alone[0][0]), int(alone[1][0])) == (float(log_probs[row]), int(nexts[row]))


@given(TEXT, st.integers(2, 4), SENTENCE, SENTENCE)
@settings(deadline=None, max_examples=20)
def test_nothing_counts_but_the_last_words(text, order, said, before) -> None:
    model = model_of(text, order)
    recent = [*before, *said][-(order - 1) :]
    if len(recent) < order - 1:
        return
    longer, shorter = state_after(model, [*before, *said]), state_after(model, recent, begins=False)
    assert longer.tolist() == shorter.tolist()


def tables(**changes: list[float]) -> list[NgramTable]:
    """Words <unk> <s> </s> a, and two pairs."""
    given = {"one": [-9.0, -np.inf, -1.0, -2.0], "backoff": [0.0, -0.5, 0.0, -0.25], "two": [-0.125, -3.0], **changes}
    pairs = np.array([[BEGIN, 3], [3, END]])
    return [
        NgramTable(np.arange(4)[:, None], np.array(given["one"]), np.array(given["backoff"])),
        NgramTable(pairs, np.array(given["two"]), np.zeros(2)),
    ]


def test_backing_off_by_hand() -> None:
    model = assemble(["<unk>", "<s>", "</s>", "a"], tables(), facts={})
    assert (model.order, model.counts, model.num_states) == (2, (4, 2), 5)
    assert model.sentence_log_prob(["a"]) == -0.125 - 3.0
    assert model.sentence_log_prob([]) == -0.5 - 1.0
    assert model.sentence_log_prob(["a", "a"]) == -0.125 + (-0.25 - 2.0) - 3.0
    assert model.sentence_log_prob(["zebra"]) == (-0.5 - 9.0) - 1.0


def test_impossible_backoffs_make_no_nan() -> None:
    model = assemble(["<unk>", "<s>", "</s>", "a"], tables(backoff=[0.0, -np.inf, 0.0, 0.0]), facts={})
    log_probs = model.next_log_probs(torch.tensor([model.start_state]))[0]
    assert log_probs.tolist() == [-np.inf, -np.inf, -np.inf, -0.125]
    assert model.step(torch.tensor([model.start_state]), torch.tensor([END]))[0].tolist() == [-np.inf]


def test_a_word_list_finds_all_its_words_certain() -> None:
    model = word_list_model(["b", "a", "b", "<s>"])
    assert model.words == ("<unk>", "<s>", "</s>", "a", "b")
    assert model.sentence_log_prob(["a", "b", "b"]) == 0
    assert model.sentence_log_prob(["a", "c"]) == -np.inf


def test_moving_keeps_the_model() -> None:
    model = model_of([["a", "b"]], 3)
    assert model.to(torch.device("cpu")) is model
    moved = model.to(torch.device("meta"))
    assert moved.trie.keys.is_meta
    assert moved.words == model.words


def test_ids_follow_the_words() -> None:
    model = model_of([["a"]], 2)
    assert [model.ids[word] for word in model.words] == list(range(len(model.words)))
    assert all(one < two for one, two in pairwise(model.trie.keys.tolist()))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_counts_add_up_to_the_nodes(order: int) -> None:
    model = model_of([["a", "b", "c"], ["a"]], order)
    assert 1 + sum(model.counts) == model.trie.num_nodes == len(model.suffixes)
    assert model.num_states == model.trie.num_nodes - model.counts[-1] if order > 1 else model.num_states == 1
