"""How the scorers of a search are put together: one log-probability a token out of several.

The default is the weighted sum over all tokens. The originals ask CTC about the decoder's likeliest tokens only, the
candidates; their two rules are here by name, with what they do to the others, so that old figures can be had again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch

from sprachbund.shapes import Bool, Float, Int, Tensor

DECODER, CTC = "decoder", "ctc"
"""Names of the two scorers that the originals' rules tell apart from the rest."""


@runtime_checkable
class Fusion(Protocol):
    """Puts the scorers together."""

    def fuse(
        self, scores: Mapping[str, Float[Tensor, "row vocab"]], utterances: Int[Tensor, " row"], num_tokens: int
    ) -> Float[Tensor, "row vocab"]:
        """What hypotheses are compared by.

        Args:
            scores: log-probabilities of the next token by scorer.
            utterances: the utterance of each row.
            num_tokens: how many tokens each row has so far.
        """
        ...


@dataclass(frozen=True)
class WeightedSum:
    """Every scorer has its say in every token; what one finds impossible is impossible."""

    weights: Mapping[str, float]

    def fuse(
        self, scores: Mapping[str, Float[Tensor, "row vocab"]], utterances: Int[Tensor, " row"], num_tokens: int
    ) -> Float[Tensor, "row vocab"]:
        """The sum of weight x log-probability; a weight of 0 leaves a scorer out, whatever it finds impossible."""
        first, *others = (self.weights[name] * score for name, score in scores.items() if self.weights[name])
        for other in others:
            first = first + other
        return first


@dataclass(frozen=True)
class SpeechT5Fusion:
    """The rule of the original SpeechT5: only candidates are scored by CTC.

    The 7 x `beam` likeliest tokens of the decoder are candidates. The others keep the decoder's whole log-probability
    without its weight, so they may win; that is why this is not the default.
    """

    weights: Mapping[str, float]
    beam: int
    blank: int
    masks: tuple[int, ...] = ()  # <mask>, <mask>0, <mask>1, ...

    def fuse(
        self, scores: Mapping[str, Float[Tensor, "row vocab"]], utterances: Int[Tensor, " row"], num_tokens: int
    ) -> Float[Tensor, "row vocab"]:
        """The decoder, and CTC for the candidates; then everything else by its weight."""
        decoder = scores[DECODER]
        count = min(decoder.shape[1] - len(self.masks[1:]), 7 * self.beam)
        is_candidate = _likeliest(decoder, count, (self.blank, *self.masks))
        fused = torch.where(is_candidate, _mixed(scores, self.weights), decoder) if CTC in scores else decoder
        return _add_others(fused, scores, self.weights)


@dataclass(frozen=True)
class SpeechUTFusion:
    """The rule of the original SpeechUT: nothing but the 4 x `beam` likeliest of the decoder (33 at most) is possible.

    Where a hypothesis has as many tokens as there are CTC frames, the decoder is asked alone, without its weight.
    """

    weights: Mapping[str, float]
    beam: int
    blank: int
    num_frames: Int[Tensor, " batch"] = field(repr=False)  # CTC frames of each utterance

    def fuse(
        self, scores: Mapping[str, Float[Tensor, "row vocab"]], utterances: Int[Tensor, " row"], num_tokens: int
    ) -> Float[Tensor, "row vocab"]:
        """The decoder and CTC for the candidates; then everything else by its weight."""
        fused = decoder = scores[DECODER]
        if CTC in scores:
            is_candidate = _likeliest(decoder, min(decoder.shape[1], 4 * self.beam, 33), (self.blank,))
            mixed = _mixed(scores, self.weights).masked_fill(~is_candidate, -torch.inf)
            fused = torch.where((num_tokens < self.num_frames[utterances])[:, None], mixed, decoder)
        return _add_others(fused, scores, self.weights)


def _likeliest(decoder: Float[Tensor, "row vocab"], count: int, excluded: tuple[int, ...]) -> Bool[Tensor, "row vocab"]:
    """True at the candidates of each row."""
    ranked = decoder.clone()
    ranked[:, list(excluded)] = -torch.inf
    places = ranked.topk(count, dim=1).indices
    return torch.zeros_like(decoder, dtype=torch.bool).scatter_(1, places, True)


def _mixed(
    scores: Mapping[str, Float[Tensor, "row vocab"]], weights: Mapping[str, float]
) -> Float[Tensor, "row vocab"]:
    return weights[DECODER] * scores[DECODER] + weights[CTC] * scores[CTC]


def _add_others(
    fused: Float[Tensor, "row vocab"], scores: Mapping[str, Float[Tensor, "row vocab"]], weights: Mapping[str, float]
) -> Float[Tensor, "row vocab"]:
    for name, score in scores.items():
        if name not in (DECODER, CTC) and weights[name]:
            fused = fused + weights[name] * score
    return fused
