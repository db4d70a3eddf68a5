"""Greedy CTC: the best path through the frames, with repeats joined and blanks dropped (Graves et al., 2006)."""

from collections.abc import Collection

import torch

from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.errors import CheckpointError
from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.shapes import Bool, Float, Int, Tensor


def greedy_ctc(
    logits: Float[Tensor, "batch frame vocab"],
    lengths: Int[Tensor, " batch"],
    *,
    blank: int,
    forbidden: Collection[int] = (),
) -> list[Hypothesis]:
    """The transcript of the likeliest path of every utterance.

    Args:
        logits: CTC logits, or log-probabilities; frames past the length are ignored.
        lengths: valid frames; 0 gives the empty hypothesis.
        blank: the id of the blank.
        forbidden: ids that are never emitted, such as padding and the mask; the blank is always allowed.

    Returns:
        One hypothesis an utterance, in the order of the batch. The score is the path's log-probability.

    Raises:
        CheckpointError: a valid frame holds values that are not numbers.
    """
    scores, path = _best_path(logits, lengths, blank, forbidden)
    starts = _first_of_run(path) & (path != blank) & ~padding_mask_from_lengths(lengths, path.shape[1])
    hypotheses = []
    for row, length in enumerate(lengths.tolist()):
        # Summed over the valid frames alone, so that padding cannot change the rounding.
        score = float(scores[row, :length].double().sum())
        tokens = tuple(path[row][starts[row]].tolist())
        hypotheses.append(Hypothesis(tokens=tokens, score=score, log_probability=score))
    return hypotheses


def count_blanks(
    logits: Float[Tensor, "batch frame vocab"], lengths: Int[Tensor, " batch"], blank: int
) -> Int[Tensor, " batch"]:
    """Valid frames of each utterance whose likeliest symbol is the blank; these add up over batches."""
    is_blank = (
        logits.argmax(dim=2) == blank if logits.shape[1] else logits.new_zeros(logits.shape[:2], dtype=torch.bool)
    )
    return (is_blank & ~padding_mask_from_lengths(lengths, logits.shape[1])).sum(dim=1)


def blank_rate(logits: Float[Tensor, "batch frame vocab"], lengths: Int[Tensor, " batch"], blank: int) -> float:
    """Share of the valid frames whose likeliest symbol is the blank, 0.0 where there is no frame.

    Near 1.0 the model says nothing; 1.0 after a while of training is the usual sign of a collapsed CTC head.
    """
    return int(count_blanks(logits, lengths, blank).sum()) / max(int(lengths.sum()), 1)


def _best_path(
    logits: Float[Tensor, "batch frame vocab"], lengths: Int[Tensor, " batch"], blank: int, forbidden: Collection[int]
) -> tuple[Float[Tensor, "batch frame"], Int[Tensor, "batch frame"]]:
    """Log-probability and id of the best allowed symbol of every frame."""
    if logits.shape[1] == 0:
        return logits.new_zeros(logits.shape[:2]), lengths.new_zeros(logits.shape[:2])
    allowed = logits.float().clone()
    allowed[:, :, [symbol for symbol in forbidden if symbol != blank]] = -torch.inf
    # Probabilities are those of the model: what is forbidden keeps its share, it is only not chosen.
    scores = allowed.amax(dim=2) - logits.float().logsumexp(dim=2)
    valid = ~padding_mask_from_lengths(lengths, logits.shape[1])
    if not bool(torch.isfinite(scores[valid]).all()):
        raise CheckpointError(
            "the CTC head gives values that are not numbers",
            given="nan or infinite logits",
            mend="Decode an earlier checkpoint; the training that made this one has diverged.",
        )
    return scores, allowed.argmax(dim=2)


def _first_of_run(path: Int[Tensor, "batch frame"]) -> Bool[Tensor, "batch frame"]:
    """True where a frame's symbol differs from the frame before it."""
    first = torch.ones_like(path, dtype=torch.bool)
    first[:, 1:] = path[:, 1:] != path[:, :-1]
    return first
