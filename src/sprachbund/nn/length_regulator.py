"""From a state a token to a state a unit: each is repeated for as long as it lasts (FastSpeech, section 3.2)."""

from typing import NamedTuple

import torch

from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.shapes import Bool, Float, Int, Tensor

LONGEST = 1000
"""Units that one token lasts at most where a model says so: 20 seconds at 50 a second."""


class Lengthened(NamedTuple):
    """Repeated states, zero at padding; one position wide where nothing lasts at all."""

    states: Float[Tensor, "batch unit dim"]
    lengths: Int[Tensor, " batch"]


def lengthen(states: Float[Tensor, "batch token dim"], durations: Int[Tensor, "batch token"]) -> Lengthened:
    """Each state as often as its duration says, in order; a duration of 0 drops it."""
    ends = durations.long().cumsum(dim=1)
    lengths = ends[:, -1]
    width = max(int(lengths.max()), 1)
    places = torch.arange(width, device=states.device).expand(len(states), width).contiguous()
    # The token of a place is the first one that ends behind it.
    tokens = torch.searchsorted(ends, places, right=True).clamp(max=states.shape[1] - 1)
    repeated = states.gather(1, tokens[:, :, None].expand(-1, -1, states.shape[2]))
    return Lengthened(repeated.masked_fill(padding_mask_from_lengths(lengths, width)[:, :, None], 0.0), lengths)


def rounded_durations(
    log_durations: Float[Tensor, "batch token"], padding_mask: Bool[Tensor, "batch token"]
) -> Int[Tensor, "batch token"]:
    """The nearest whole durations of ``log(1 + duration)``, 0 at padding."""
    durations = (log_durations.float().exp() - 1).round().clamp(min=0, max=LONGEST).long()
    return durations.masked_fill(padding_mask, 0)
