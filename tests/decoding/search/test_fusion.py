import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.decoding.search.fusion import SpeechT5Fusion, SpeechUTFusion, WeightedSum

BLANK = 0


def scores_of(seed, vocab, rows=3):
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(rows, vocab, generator=generator, dtype=torch.float64).log_softmax(dim=1)
        for name in ("decoder", "ctc", "lm")
    }


def likeliest(row, count, excluded):
    """Tokens by the decoder's log-probability, those that are excluded last."""
    ranked = sorted(range(len(row)), key=lambda token: (token in excluded, -row[token]))
    return ranked[:count]


def test_the_sum_leaves_out_what_has_no_weight():
    scores = scores_of(0, 5)
    scores["ctc"][:, 2] = -torch.inf
    plain = WeightedSum({"decoder": 0.7, "ctc": 0.0, "lm": 2.0}).fuse(scores, torch.zeros(3).long(), 0)
    assert torch.allclose(plain, 0.7 * scores["decoder"] + 2.0 * scores["lm"])
    fused = WeightedSum({"decoder": 0.7, "ctc": 0.3, "lm": 0.0}).fuse(scores, torch.zeros(3).long(), 0)
    assert (fused[:, 2] == -torch.inf).all()
    assert fused[:, 3].isfinite().all()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 9999), beam=st.integers(1, 3), num_masks=st.integers(0, 4), vocab=st.integers(8, 30))
def test_speecht5_leaves_others_the_whole_decoder(seed, beam, num_masks, vocab):
    masks = tuple(range(1, 1 + num_masks))
    scores, weights = scores_of(seed, vocab), {"decoder": 0.6, "ctc": 0.4, "lm": 0.5}
    fused = SpeechT5Fusion(weights, beam, BLANK, masks).fuse(scores, torch.zeros(3).long(), 2)
    count = min(vocab - max(num_masks - 1, 0), 7 * beam)
    for row in range(3):
        decoder, ctc, lm = (scores[name][row].tolist() for name in ("decoder", "ctc", "lm"))
        candidates = likeliest(decoder, count, {BLANK, *masks})
        for token in range(vocab):
            expected = 0.6 * decoder[token] + 0.4 * ctc[token] if token in candidates else decoder[token]
            if token in {BLANK, *masks}:
                continue  # never emitted
            assert math.isclose(fused[row, token].item(), expected + 0.5 * lm[token], abs_tol=1e-12)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 9999), beam=st.integers(1, 12), vocab=st.integers(5, 45))
def test_speechut_allows_nothing_else(seed, beam, vocab):
    scores, weights = scores_of(seed, vocab), {"decoder": 0.6, "ctc": 0.4, "lm": 0.5}
    fusion = SpeechUTFusion(weights, beam, BLANK, torch.tensor([9, 3]))
    fused = fusion.fuse(scores, torch.tensor([0, 0, 1]), 3)
    count = min(vocab, 4 * beam, 33)
    for row in range(3):
        decoder, ctc, lm = (scores[name][row].tolist() for name in ("decoder", "ctc", "lm"))
        candidates = likeliest(decoder, count, {BLANK})
        for token in range(1, vocab):
            expected = 0.6 * decoder[token] + 0.4 * ctc[token] if token in candidates else -math.inf
            # The second utterance has no more CTC frames than tokens: CTC is not asked there.
            expected = decoder[token] if row == 2 else expected
            assert math.isclose(fused[row, token].item(), expected + 0.5 * lm[token], abs_tol=1e-12)


def test_without_ctc_both_are_the_decoder_and_the_rest():
    scores = scores_of(1, 6)
    del scores["ctc"]
    weights = {"decoder": 1.0, "lm": 0.5}
    expected = scores["decoder"] + 0.5 * scores["lm"]
    for fusion in (SpeechT5Fusion(weights, 1, BLANK), SpeechUTFusion(weights, 1, BLANK, torch.tensor([1]))):
        assert torch.allclose(fusion.fuse(scores, torch.zeros(3).long(), 4), expected)
