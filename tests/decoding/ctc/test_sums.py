import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decoding.ctc_oracle import all_transcripts
from sprachbund.decoding.ctc.sums import Spoken, backward_sums, forward_sums


def spoken_of(seed, transcripts, lengths, vocab=5, blank=4):
    generator = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(len(lengths), max(lengths), vocab, generator=generator).double().log_softmax(dim=2)
    width = max(map(len, transcripts))
    tokens = torch.tensor([[*said, *[blank] * (width - len(said))] for said in transcripts], dtype=torch.long)
    return Spoken(
        log_probs,
        torch.tensor(lengths),
        tokens.view(len(lengths), width),
        torch.tensor([len(said) for said in transcripts]),
        blank,
    )


utterances = st.lists(
    st.tuples(st.lists(st.integers(0, 3), max_size=4).map(tuple), st.integers(1, 9)), min_size=1, max_size=4
)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 99), said=utterances)
def test_forward_and_backward_agree_with_the_ctc_loss(seed, said):
    transcripts, lengths = zip(*said, strict=True)
    spoken = spoken_of(seed, transcripts, lengths)
    ahead, back = forward_sums(spoken), backward_sums(spoken)
    loss = torch.nn.functional.ctc_loss(
        spoken.log_probs.transpose(0, 1),
        spoken.tokens,
        spoken.lengths,
        spoken.token_lengths,
        blank=spoken.blank,
        reduction="none",
    )
    for row, (tokens, num_frames) in enumerate(said):
        expected = pytest.approx(-float(loss[row]))
        assert float(ahead.either()[row, -1, len(tokens)]) == expected
        assert float(back.with_blank[row, 0, 0]) == expected
        # At each frame the ways to any place and on from there are all ways.
        for frame in range(num_frames + 1):
            silent = ahead.with_blank[row, frame] + back.with_blank[row, frame]
            spoken_last = ahead.with_token[row, frame] + back.with_token[row, frame]
            assert float(torch.cat([silent, spoken_last]).logsumexp(dim=0)) == expected


def test_they_are_the_sum_of_all_paths():
    spoken = spoken_of(1, [(2, 2), ()], [5, 4])
    ahead = forward_sums(spoken)
    for row, tokens in enumerate([(2, 2), ()]):
        every = all_transcripts(spoken.log_probs[row, : spoken.lengths[row]], spoken.blank)
        assert math.exp(ahead.either()[row, -1, len(tokens)]) == pytest.approx(every[tokens])


def test_where_a_blank_has_to_stand():
    spoken = spoken_of(0, [(1, 1, 2), (3,)], [4, 4])
    assert spoken.needs_blank().tolist() == [[False, True, False, False], [False, False, True, False]]
    assert spoken.is_padding().tolist() == [[False] * 4] * 2
    assert torch.equal(spoken.heard()[0, :, 2], spoken.log_probs[0, :, 2])
