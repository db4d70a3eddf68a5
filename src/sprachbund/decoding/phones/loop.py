"""Phones without a transcript: the likeliest path through a loop of phones, weighed by which phone follows which.

A phone lasts a least number of frames, and none follows itself. The whole batch goes through its frames together.
"""

from dataclasses import dataclass

import numpy as np
import torch

from sprachbund.decoding.viterbi import require_numbers
from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.shapes import Array, Bool, Float, Int, Tensor


@dataclass(frozen=True)
class LoopCosts:
    """What a path through the loop pays besides the scores of its frames; minus infinity forbids."""

    first: Float[Array, " symbol"]  # score of beginning with a phone
    following: Float[Array, "symbol next"]  # of a phone after another one; the diagonal is not read
    last: Float[Array, " symbol"]  # of ending with a phone
    min_frames: int = 1  # that every phone lasts


@torch.no_grad()
def loop_paths(
    log_probs: Float[Tensor, "batch frame symbol"], lengths: Int[Tensor, " batch"], costs: LoopCosts
) -> list[Int[Array, " _"]]:
    """The likeliest symbol of every frame of every utterance; no frames where there are fewer than a phone lasts.

    Args:
        log_probs: of all symbols in each frame, or other scores that add up; padding is not read.
        lengths: valid frames.
        costs: of the path.

    Raises:
        CheckpointError: a valid frame holds what is not a number.
    """
    require_numbers(log_probs, lengths)
    if log_probs.shape[1] == 0:
        return [np.zeros(0, dtype=np.int64) for _ in lengths]
    scores, entered, came_from = _forward(log_probs.float(), lengths, costs)
    ends = (scores + _tensor(costs.last, log_probs)).argmax(dim=1)
    symbols = _backward(ends, lengths, entered, came_from, costs.min_frames).cpu().numpy()
    # Short ones have no path at all.
    return [symbols[row, : length if length >= costs.min_frames else 0] for row, length in enumerate(lengths.tolist())]


def _forward(
    log_probs: Float[Tensor, "batch frame symbol"], lengths: Int[Tensor, " batch"], costs: LoopCosts
) -> tuple[Float[Tensor, "batch symbol"], Bool[Tensor, "batch frame symbol"], Int[Tensor, "batch frame symbol"]]:
    """The score of ending now in each symbol; whether it is `min_frames` old now, and the symbol before it."""
    following = _tensor(costs.following, log_probs).clone().fill_diagonal_(-torch.inf)
    batch, num_frames, num_symbols = log_probs.shape
    entered = torch.zeros(log_probs.shape, dtype=torch.bool, device=log_probs.device)
    came_from = torch.zeros(log_probs.shape, dtype=torch.int16, device=log_probs.device)
    is_valid = ~padding_mask_from_lengths(lengths, num_frames)
    # By age: scores of a symbol in its first frame, in its second, ... and at last in any later one.
    young = log_probs.new_full((costs.min_frames, batch, num_symbols), -torch.inf)
    young[0] = _tensor(costs.first, log_probs) + log_probs[:, 0]
    for frame in range(1, num_frames):
        heard = log_probs[:, frame]
        best, choice = (young[-1][:, :, None] + following).max(dim=1)
        came_from[:, frame] = choice.to(torch.int16)
        older = young + heard  # one frame more of everything
        grown = torch.cat([(best + heard)[None], older[:-1]])
        entered[:, frame] = grown[-1] > older[-1]
        grown[-1] = torch.maximum(grown[-1], older[-1])
        young = torch.where(is_valid[:, frame, None], grown, young)
    return young[-1], entered, came_from


def _backward(
    ends: Int[Tensor, " batch"],
    lengths: Int[Tensor, " batch"],
    entered: Bool[Tensor, "batch frame symbol"],
    came_from: Int[Tensor, "batch frame symbol"],
    min_frames: int,
) -> Int[Tensor, "batch frame"]:
    """The symbols from the last one back; at padding the last one."""
    batch, num_frames, _ = entered.shape
    rows = torch.arange(batch, device=ends.device)
    symbols = ends[:, None].repeat(1, num_frames)
    # Frames that still belong to the symbol, once it is known to have been `min_frames` old; -1 while that is open.
    left = torch.full_like(ends, -1)
    for frame in range(num_frames - 1, 0, -1):
        now, is_valid = symbols[:, frame], frame < lengths
        begins = entered[rows, frame, now] & (left < 0) & is_valid
        left = torch.where(begins, torch.full_like(left, min_frames - 1), left)
        leaves = (left == 0) & is_valid
        symbols[:, frame - 1] = torch.where(leaves, came_from[rows, frame, now].long(), now)
        left = torch.where(leaves, torch.full_like(left, -1), torch.where(left > 0, left - 1, left))
    return symbols


def _tensor(array: Float[Array, "*any"], like: Tensor) -> Tensor:
    return torch.from_numpy(array).to(like.device, torch.float32)
