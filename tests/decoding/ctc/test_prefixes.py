import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.decoding.ctc.prefixes import Frame, Prefixes, Ranking, step_frame

BLANK = 0
PLAIN = Ranking(language_weight=1.0, length_bonus=0.0)


def frame_of(*probabilities):
    log_probs = torch.tensor([probabilities], dtype=torch.float64).log()
    candidates = torch.arange(1, len(probabilities))[None]
    return Frame(log_probs[:, BLANK], log_probs, candidates, log_probs[:, 1:])


def after(*frames, beam=100, ranking=PLAIN, gains=0.0):
    """The prefixes after some frames, and the tokens of each."""
    prefixes, said = Prefixes.empty(1, BLANK, torch.device("cpu")), [()]
    for probabilities in frames:
        frame = frame_of(*probabilities)
        added = torch.full((1, prefixes.keys.shape[1], frame.candidates.shape[1]), gains, dtype=torch.float64)
        prefixes, step = step_frame(prefixes, frame, added, ranking, beam)
        said = [
            (*said[origin], token) if token >= 0 else said[origin]
            for origin, token in zip(step.origins[0].tolist(), step.tokens[0].tolist(), strict=True)
        ]
        assert torch.equal(step.is_grown, step.tokens >= 0)
    return prefixes, said


def probabilities(prefixes, said):
    live = prefixes.probabilities()[0].exp().tolist()
    return {tokens: probability for tokens, probability in zip(said, live, strict=True) if probability > 0}


def test_two_frames_by_hand():
    prefixes, said = after((0.5, 0.3, 0.2), (0.4, 0.6, 0.0))
    assert probabilities(prefixes, said) == pytest.approx(
        {(): 0.2, (1,): 0.5 * 0.6 + 0.3 * 0.4 + 0.3 * 0.6, (2,): 0.2 * 0.4, (2, 1): 0.2 * 0.6}
    )


def test_a_token_after_itself_needs_a_blank():
    prefixes, said = after((0.0, 1.0), (0.0, 1.0), (0.0, 1.0))
    assert probabilities(prefixes, said) == pytest.approx({(1,): 1.0})
    prefixes, said = after((0.0, 1.0), (1.0, 0.0), (0.0, 1.0))
    assert probabilities(prefixes, said) == pytest.approx({(1, 1): 1.0})


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 999), num_frames=st.integers(1, 7), beam=st.integers(1, 9))
def test_no_prefix_stands_in_two_slots(seed, num_frames, beam):
    # A narrow beam drops prefixes and meets them again by another way.
    random = torch.rand(num_frames, 4, generator=torch.Generator().manual_seed(seed))
    rows = random.double().softmax(dim=1).tolist()
    prefixes, said = after(*rows, beam=beam)
    live = [tokens for tokens, key in zip(said, prefixes.keys[0].tolist(), strict=True) if key != -1]
    assert len(set(live)) == len(live) <= beam
    assert len(set(prefixes.keys[0].tolist()) - {-1}) == len(live)
    assert prefixes.lengths[0].tolist()[: len(live)] == [len(tokens) for tokens in live]
    assert prefixes.last[0].tolist()[: len(live)] == [tokens[-1] if tokens else BLANK for tokens in live]
    assert sum(probabilities(prefixes, said).values()) <= 1 + 1e-9


@given(st.lists(st.lists(st.integers(1, 9), max_size=4).map(tuple), min_size=2, max_size=4, unique=True))
@settings(deadline=None, max_examples=12)
def test_prefixes_are_known_by_their_tokens(transcripts):
    def key_of(tokens):
        frames = [[0.0 if symbol != token else 1.0 for symbol in range(10)] for token in tokens]
        between = [1.0] + [0.0] * 9
        prefixes, said = after(*(row for frame in frames for row in (frame, between)))
        assert said[0] == tokens
        return int(prefixes.keys[0, 0]), int(prefixes.parents[0, 0])

    keys = {tokens: key_of(tokens) for tokens in transcripts}
    assert len({key for key, _ in keys.values()}) == len(transcripts)
    for tokens, (_, parent) in keys.items():
        if tokens[:-1] in keys and tokens:
            assert parent == keys[tokens[:-1]][0]


def test_language_and_length_count_once_a_token():
    ranking = Ranking(language_weight=0.5, length_bonus=0.25)
    prefixes, said = after((0.5, 0.5), (0.5, 0.5), (0.5, 0.5), ranking=ranking, gains=-2.0)
    live = prefixes.keys[0] != -1
    assert live.sum() == 3  # three frames hold nothing, one token, or the same one twice with a blank between
    said = [tokens for tokens, is_live in zip(said, live.tolist(), strict=True) if is_live]
    assert prefixes.language[0, live].tolist() == [-2.0 * len(tokens) for tokens in said]
    assert prefixes.lengths[0, live].tolist() == [len(tokens) for tokens in said]
    assert ranking.scores(torch.tensor(-1.0), torch.tensor(-2.0), torch.tensor(3)).item() == pytest.approx(-1.25)


def test_what_cannot_be_said_stays_impossible_at_weight_0():
    weighted = Ranking(language_weight=0.0, length_bonus=0.0).weighted(torch.tensor([-math.inf, -3.0]))
    assert weighted.tolist() == [-math.inf, 0.0]


def test_the_best_are_kept_and_of_equal_ones_the_first():
    _, said = after((0.1, 0.3, 0.3, 0.3), beam=2)
    assert said == [(1,), (2,)]
    _, said = after((0.4, 0.1, 0.3, 0.2), beam=3)
    assert said == [(), (2,), (3,)]
