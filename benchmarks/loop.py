"""Joint CTC/attention search the plain way: one utterance after the other, CTC in NumPy, hypothesis by hypothesis.

The prefix scores are those of Watanabe et al. (2017), algorithm 2, by recursion over the frames. The decoder is ours,
with its cache, and takes all hypotheses of the utterance at once.
"""

from dataclasses import dataclass

import numpy as np
import torch

from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.search.ctc_prefix import CtcOutput
from sprachbund.decoding.search.roles import BeamConfig
from sprachbund.models.encoded import Encoded
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.shapes import Array, Float


@dataclass(frozen=True)
class Prefix:
    """A live hypothesis."""

    tokens: tuple[int, ...]
    total: float
    log_psi: float
    """CTC: that a transcript begins so."""
    ends: Float[Array, "frame 2"]
    """CTC: of all paths that say it by this frame, those that end in its last token, and in a blank."""


class PrefixScorer:
    """CTC prefix scores of one utterance.

    Args:
        log_probs: of the valid frames.
        blank: its id.
        eos: the end of the sentence.
    """

    def __init__(self, log_probs: Float[Array, "frame vocab"], blank: int, eos: int) -> None:
        self._log_probs, self._blank, self._eos = log_probs, blank, eos

    def start(self) -> Prefix:
        """Nothing said."""
        ends = np.full((len(self._log_probs), 2), -np.inf)
        ends[:, 1] = np.cumsum(self._log_probs[:, self._blank])
        return Prefix((), 0.0, 0.0, ends)

    def extend(self, prefix: Prefix) -> tuple[Float[Array, " vocab"], Float[Array, "frame 2 vocab"]]:
        """By every token: log psi, and the ends."""
        log_probs, blanks = self._log_probs, self._log_probs[:, self._blank]
        num_frames, vocab = log_probs.shape
        log_all = np.logaddexp(prefix.ends[:, 0], prefix.ends[:, 1])
        log_phi = np.repeat(log_all[:, None], vocab, axis=1)
        if prefix.tokens:
            log_phi[:, prefix.tokens[-1]] = prefix.ends[:, 1]
        ends = np.full((num_frames, 2, vocab), -np.inf)
        if not prefix.tokens:
            ends[0, 0] = log_probs[0]
        log_psi = ends[0, 0].copy()
        for frame in range(max(len(prefix.tokens), 1), num_frames):
            begun = log_phi[frame - 1] + log_probs[frame]
            ends[frame, 0] = np.logaddexp(ends[frame - 1, 0] + log_probs[frame], begun)
            ends[frame, 1] = np.logaddexp(ends[frame - 1, 0], ends[frame - 1, 1]) + blanks[frame]
            log_psi = np.logaddexp(log_psi, begun)
        log_psi[self._eos] = log_all[-1]
        log_psi[self._blank] = -np.inf
        return log_psi, ends


def search_each(
    model: SpeechT5, memory: Encoded, output: CtcOutput, config: BeamConfig, *, ctc_weight: float
) -> list[Hypothesis]:
    """The best hypothesis of every utterance, of `config.max_tokens` tokens exactly."""
    log_probs = output.logits.double().log_softmax(dim=2).numpy()
    found = []
    for row, length in enumerate(memory.lengths.tolist()):
        scorer = PrefixScorer(log_probs[row, :length], output.blank, config.eos)
        own = Encoded(memory.states[row : row + 1, :length], memory.lengths[row : row + 1])
        found.append(_search_one(model, own, scorer, config, ctc_weight))
    return found


def _search_one(
    model: SpeechT5, memory: Encoded, scorer: PrefixScorer, config: BeamConfig, weight: float
) -> Hypothesis:
    cache, beam = model.start_cache(memory), [scorer.start()]
    for step in range(config.max_tokens + 1):
        last = torch.tensor([[*one.tokens[-1:], config.start][:1] for one in beam])
        logits = model.decode_text(last, memory, cache=cache)[:, -1]
        decoded = logits.double().log_softmax(dim=1).numpy()
        extended = []
        for row, prefix in enumerate(beam):
            log_psi, ends = scorer.extend(prefix)
            totals = prefix.total + (1.0 - weight) * decoded[row] + weight * (log_psi - prefix.log_psi)
            is_end = np.arange(len(totals)) == config.eos
            totals[is_end != (step == config.max_tokens)] = -np.inf
            extended += [
                (totals[token], row, int(token), log_psi[token], ends[:, :, token])
                for token in np.argsort(-totals, kind="stable")[: config.beam]
            ]
        extended.sort(key=lambda one: -one[0])
        chosen = extended[: config.beam]
        beam = [Prefix((*beam[row].tokens, token), total, log_psi, ends) for total, row, token, log_psi, ends in chosen]
        cache.reorder(torch.tensor([row for _, row, *_ in chosen]))
    best = beam[0]
    return Hypothesis(best.tokens[:-1], best.total / (config.max_tokens + 1), best.total)
