"""Codebooks: states replaced by one of a few learned vectors (SpeechT5, section 2.3).

Two rules behind one interface. The released implementation draws a code a group from a Gumbel softmax; the talk and the
paper's text write the nearest neighbour, c_i = argmin_j ||s_i - c_j||.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from sprachbund.nn.precision import single_precision
from sprachbund.shapes import Bool, Float, Int, Tensor


@dataclass(frozen=True)
class Quantized:
    """States in terms of the codebook."""

    states: Float[Tensor, "batch frame dim"]
    """The code vectors; gradients reach the states they were made from."""
    codes: Int[Tensor, "batch frame group"]
    """Which code each group took."""
    probability_perplexity: Float[Tensor, ""]
    """exp of the entropy of the mean code distribution, summed over groups: how much of the codebook is in use."""
    code_perplexity: Float[Tensor, ""]
    """The same of the codes taken; no gradient."""
    commitment: Float[Tensor, ""] | None
    """Mean squared distance of states and codes, to be minimised; None where the rule has no such term."""


class Quantizer(nn.Module):
    """What both rules share.

    Args:
        dim: width of the states.
        num_groups: parts of the width that take a code each.
        codes_per_group: codes of a group.
    """

    def __init__(self, dim: int, num_groups: int, codes_per_group: int) -> None:
        super().__init__()
        self.num_groups, self.codes_per_group = num_groups, codes_per_group
        self.codebook = nn.Parameter(torch.empty(1, num_groups * codes_per_group, dim // num_groups))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Codes uniform in [0, 1)."""
        nn.init.uniform_(self.codebook)

    @property
    def num_codes(self) -> int:
        """Codes of all groups."""
        return self.num_groups * self.codes_per_group

    def diversity_loss(self, quantized: Quantized) -> Float[Tensor, ""]:
        """Share of the codebook that is not in use (SpeechT5, equation 9 up to a constant and scale)."""
        return (self.num_codes - quantized.probability_perplexity) / self.num_codes

    def set_step(self, step: int) -> None:
        """Tell the number of optimizer steps so far."""

    def forward(
        self,
        states: Float[Tensor, "batch frame dim"],
        padding_mask: Bool[Tensor, "batch frame"] | None = None,
        *,
        seed: int | None = None,
        noise: Float[Tensor, "draw code"] | None = None,
    ) -> Quantized:
        """Quantize.

        Args:
            states: what is quantized.
            padding_mask: frames that do not count for the perplexities; None counts all.
            seed: of the noise drawn in training; None draws from the global generator.
            noise: the noise itself, rows ordered by batch, frame, group; for comparison with other implementations.
        """
        raise NotImplementedError

    def _vectors(self, chosen: Float[Tensor, "batch frame group code"]) -> Float[Tensor, "batch frame dim"]:
        codebook = self.codebook.view(self.num_groups, self.codes_per_group, -1)
        return torch.einsum("bfgc,gcd->bfgd", chosen, codebook.to(chosen.dtype)).flatten(2)

    def _perplexity(
        self, distribution: Float[Tensor, "batch frame group code"], padding_mask: Bool[Tensor, "batch frame"] | None
    ) -> Float[Tensor, ""]:
        if padding_mask is None:
            mean = distribution.mean(dim=(0, 1))
        else:
            share = (~padding_mask).float() / (~padding_mask).sum().clamp(min=1)
            mean = (distribution * share[:, :, None, None]).sum(dim=(0, 1))
        return torch.exp(-(mean * torch.log(mean + 1e-7)).sum(dim=1)).sum()


class GumbelQuantizer(Quantizer):
    """Each group draws its code from a softmax of projected states, straight through (wav2vec 2.0, section 2).

    Training adds Gumbel noise and takes the most likely code; its gradient is that of the softmax at a temperature
    that falls with the steps. Evaluation takes the most likely code.

    Args:
        dim: width of the code vectors together.
        num_groups: see `Quantizer`.
        codes_per_group: see `Quantizer`.
        temperature: first value, lowest value, factor a step.
        input_dim: width of the states; None for `dim`.
    """

    def __init__(
        self,
        dim: int,
        num_groups: int,
        codes_per_group: int,
        temperature: tuple[float, float, float],
        input_dim: int | None = None,
    ) -> None:
        super().__init__(dim, num_groups, codes_per_group)
        self.projection = nn.Linear(dim if input_dim is None else input_dim, num_groups * codes_per_group)
        self.schedule = temperature
        self.temperature = float(temperature[0])

    def set_step(self, step: int) -> None:
        """Cool down: first * factor ** step, never below the lowest."""
        first, lowest, factor = self.schedule
        self.temperature = max(first * factor**step, lowest)

    def forward(
        self,
        states: Float[Tensor, "batch frame dim"],
        padding_mask: Bool[Tensor, "batch frame"] | None = None,
        *,
        seed: int | None = None,
        noise: Float[Tensor, "draw code"] | None = None,
    ) -> Quantized:
        """See `Quantizer.forward`."""
        logits = self.projection(states).float().view(*states.shape[:2], self.num_groups, self.codes_per_group)
        probabilities = logits.softmax(dim=3)
        best = F.one_hot(logits.argmax(dim=3), self.codes_per_group).to(logits.dtype)
        if self.training:
            gumbel = _gumbel_noise(logits, seed) if noise is None else noise.view_as(logits)
            soft = ((logits + gumbel) / self.temperature).softmax(dim=3)
            codes = soft.argmax(dim=3)
            chosen = F.one_hot(codes, self.codes_per_group).to(soft.dtype) - soft.detach() + soft
        else:
            codes, chosen = best.argmax(dim=3), best
        return Quantized(
            states=self._vectors(chosen).to(states.dtype),
            codes=codes,
            probability_perplexity=self._perplexity(probabilities, padding_mask),
            code_perplexity=self._perplexity(best, padding_mask).detach(),
            commitment=None,
        )


class NearestQuantizer(Quantizer):
    """Each group takes the code nearest to its part of the state (SpeechT5, equation 6), straight through.

    The argmin gives the codebook no gradient, so the codes follow their states by the squared distance of VQ-VAE
    (van den Oord et al. 2017, equation 3), and the states are held near their codes by `commitment_weight` times
    the same distance: both are in `Quantized.commitment`. The perplexity is that of a softmax of negative squared
    distances (a mean over channels), so that the diversity loss pulls unused codes towards the states.

    Args:
        commitment_weight: of the pull on the states, relative to the pull on the codes.
    """

    def __init__(self, dim: int, num_groups: int, codes_per_group: int, commitment_weight: float = 0.25) -> None:
        super().__init__(dim, num_groups, codes_per_group)
        self.commitment_weight = commitment_weight

    def forward(
        self,
        states: Float[Tensor, "batch frame dim"],
        padding_mask: Bool[Tensor, "batch frame"] | None = None,
        *,
        seed: int | None = None,
        noise: Float[Tensor, "draw code"] | None = None,
    ) -> Quantized:
        """See `Quantizer.forward`; nothing is random here."""
        with single_precision(states.device):
            return self._quantize(states, padding_mask)

    def _quantize(
        self, states: Float[Tensor, "batch frame dim"], padding_mask: Bool[Tensor, "batch frame"] | None
    ) -> Quantized:
        parts = states.float().view(*states.shape[:2], self.num_groups, -1)  # -> batch frame group part
        codebook = self.codebook.float().view(self.num_groups, self.codes_per_group, -1)
        products = torch.einsum("bfgd,gcd->bfgc", parts, codebook)
        squares = parts.square().sum(dim=3, keepdim=True) - 2 * products + codebook.square().sum(dim=2)
        codes = squares.argmin(dim=3)
        taken = F.one_hot(codes, self.codes_per_group).to(parts.dtype)
        vectors = self._vectors(taken)
        single = states.float()
        distances = (vectors - single.detach()).square() + self.commitment_weight * (single - vectors.detach()).square()
        return Quantized(
            states=(single + (vectors - single).detach()).to(states.dtype),
            codes=codes,
            probability_perplexity=self._perplexity((-squares / parts.shape[3]).softmax(dim=3), padding_mask),
            code_perplexity=self._perplexity(taken, padding_mask).detach(),
            commitment=_masked_mean(distances.mean(dim=2), padding_mask),
        )


def _masked_mean(values: Float[Tensor, "batch frame"], padding_mask: Bool[Tensor, "batch frame"] | None) -> Tensor:
    if padding_mask is None:
        return values.mean()
    return values.masked_fill(padding_mask, 0.0).sum() / (~padding_mask).sum().clamp(min=1)


def _gumbel_noise(like: Tensor, seed: int | None) -> Tensor:
    generator = None if seed is None else torch.Generator(like.device).manual_seed(seed)
    # The negative logarithm of an exponential variable is a Gumbel variable.
    return -torch.empty_like(like).exponential_(generator=generator).clamp(min=1e-20).log()
