import itertools

import numpy as np
import pytest
import torch
from benchmarks.loop import PrefixScorer, search_each
from benchmarks.peer import SIZES
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.decoding.search.ctc_prefix import CtcOutput
from sprachbund.decoding.search.joint import decode_joint
from sprachbund.decoding.search.roles import BeamConfig
from sprachbund.models.speecht5.model import SpeechT5

BLANK, EOS, VOCAB = 0, 2, 4


def collapse(path):
    return tuple(token for token, _ in itertools.groupby(path) if token != BLANK)


def every_path(log_probs):
    """Transcript -> probability, by writing out all paths."""
    found = {}
    for path in itertools.product(range(VOCAB), repeat=len(log_probs)):
        said = collapse(path)
        found[said] = found.get(said, 0.0) + np.exp(sum(log_probs[frame, token] for frame, token in enumerate(path)))
    return found


@settings(deadline=None, max_examples=15)
@given(num_frames=st.integers(1, 5), seed=st.integers(0, 99), said=st.lists(st.sampled_from([1, 3]), max_size=3))
def test_prefix_scores_are_sums_over_all_paths(num_frames, seed, said):
    logits = torch.randn(num_frames, VOCAB, generator=torch.Generator().manual_seed(seed)).double()
    log_probs = logits.log_softmax(dim=1).numpy()
    probabilities = every_path(log_probs)
    scorer = PrefixScorer(log_probs, BLANK, EOS)
    prefix = scorer.start()
    with np.errstate(divide="ignore"):
        for token in said:
            log_psi, ends = scorer.extend(prefix)
            prefix = type(prefix)((*prefix.tokens, token), 0.0, log_psi[token], ends[:, :, token])
        log_psi, _ = scorer.extend(prefix)
        for token in (1, 3):
            begun = (*said, token)
            expected = sum(value for text, value in probabilities.items() if text[: len(begun)] == begun)
            assert np.exp(log_psi[token]) == pytest.approx(expected, abs=1e-12)
        assert np.exp(log_psi[EOS]) == pytest.approx(probabilities.get(tuple(said), 0.0), abs=1e-12)
    assert log_psi[BLANK] == -np.inf


def test_the_loop_finds_what_the_joint_search_finds():
    torch.manual_seed(0)
    model = SpeechT5(SIZES["tiny"].ours()).eval()
    config = BeamConfig(beam=3, min_tokens=4, max_tokens=4)
    with torch.inference_mode():
        memory = model.encode_speech(0.1 * torch.randn(2, 8000), torch.tensor([8000, 5000]))
        output = CtcOutput(model.ctc_logits(memory), memory.lengths, BLANK)
        looped = search_each(model, memory, output, config, ctc_weight=0.4)
        joint = decode_joint(model, memory, config, ctc=output, ctc_weight=0.4)
    for left, right in zip(looped, joint, strict=True):
        assert left.tokens == right[0].tokens and len(left.tokens) == 4
        assert left.log_probability == pytest.approx(right[0].log_probability, abs=1e-4)
        assert left.score == pytest.approx(right[0].score, abs=1e-4)
