"""Token losses that objectives share: cross entropy with label smoothing, and CTC."""

from typing import NamedTuple

import torch
from torch.nn import functional as F

from sprachbund.shapes import Float, Int, Tensor

PADDING = 1
END = 2


class TokenLoss(NamedTuple):
    """Sums over the tokens that are not padding."""

    smoothed: Float[Tensor, ""]
    correct: Float[Tensor, ""]
    num_tokens: Float[Tensor, ""]


def token_cross_entropy(
    logits: Float[Tensor, "batch token vocab"], targets: Int[Tensor, "batch token"], smoothing: float = 0.0
) -> TokenLoss:
    """Cross entropy with ``smoothing / (vocab - 1)`` on every wrong entry, summed over tokens.

    This is fairseq's form: the target keeps ``1 - smoothing`` rather than a share of the smoothing as well.
    """
    valid = targets != PADDING
    chosen = logits[valid].float()  # -> token vocab
    wanted = targets[valid].long()
    log_probabilities = chosen.log_softmax(dim=1)
    loss = F.nll_loss(log_probabilities, wanted, reduction="sum")
    if smoothing > 0.0:
        share = smoothing / (logits.shape[2] - 1)
        loss = (1.0 - smoothing - share) * loss - share * log_probabilities.sum()
    with torch.no_grad():
        correct = (chosen.argmax(dim=1) == wanted).sum().float()
    return TokenLoss(loss, correct, valid.sum().float())


def ctc_loss(
    logits: Float[Tensor, "batch frame vocab"],
    lengths: Int[Tensor, " batch"],
    targets: Int[Tensor, "batch token"],
    *,
    blank: int,
    zero_infinity: bool = True,
) -> Float[Tensor, ""]:
    """Connectionist temporal classification summed over utterances (Graves et al. 2006).

    Args:
        logits: over the dictionary, a frame.
        lengths: valid frames.
        targets: tokens; padding and ends of sentence among them are skipped.
        blank: the blank's id.
        zero_infinity: utterances with fewer frames than tokens count as zero.
    """
    spoken = (targets != PADDING) & (targets != END)
    return F.ctc_loss(
        logits.float().log_softmax(dim=2).transpose(0, 1),
        targets[spoken].long(),
        lengths.long(),
        spoken.sum(dim=1),
        blank=blank,
        reduction="sum",
        zero_infinity=zero_infinity,
    )


def impossible_rows(targets: Int[Tensor, "batch token"], lengths: Int[Tensor, " batch"]) -> Float[Tensor, ""]:
    """Rows that CTC cannot align: it wants a frame for each token, and one between equal ones.

    Args:
        targets: tokens; padding and ends of sentence among them are skipped.
        lengths: valid frames of each row.
    """
    spoken = (targets != PADDING) & (targets != END)
    repeated = (targets[:, 1:] == targets[:, :-1]) & spoken[:, 1:] & spoken[:, :-1]
    needed = spoken.sum(dim=1) + repeated.sum(dim=1)
    return (needed > lengths).sum().float()
