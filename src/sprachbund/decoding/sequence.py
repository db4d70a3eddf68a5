"""Greedy writing with a model from tokens to tokens, many rows at a time."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from sprachbund.errors import CheckpointError
from sprachbund.models.sequence.model import SequenceModel
from sprachbund.shapes import Float, Int, Tensor
from sprachbund.tokens.vocabulary import BOS, EOS, PAD, UNK


class Written(NamedTuple):
    """What was written of one row."""

    tokens: list[int]
    """Ids of the targets' dictionary, without the end."""
    is_complete: bool
    """False where the longest length came before the end."""


@torch.no_grad()
def generate(
    model: SequenceModel,
    tokens: Int[Tensor, "batch token"],
    token_lengths: Int[Tensor, " batch"],
    max_length: int | Sequence[int],
) -> list[Written]:
    """The likeliest next token, again and again, until the end of each row.

    Args:
        model: in evaluation mode.
        tokens: padded at the end.
        token_lengths: valid ones; a row of none is written as nothing.
        max_length: most tokens that are written, the end not counted: of every row, or one number for each.

    Returns:
        One result a row, in the order of the batch, whatever shares the batch.

    Raises:
        CheckpointError: the model gives values that are not numbers.
    """
    limits = [max_length] * len(tokens) if isinstance(max_length, int) else list(max_length)
    written: list[list[int]] = [[] for _ in limits]
    is_complete = [length == 0 for length in token_lengths.tolist()]
    rows = [row for row, is_done in enumerate(is_complete) if not is_done]  # those still being written
    if not rows:
        return [Written([], True) for _ in limits]
    kept = torch.tensor(rows, device=tokens.device)
    memory = model.encode_text(tokens[kept], token_lengths[kept])
    cache = model.start_cache(memory)
    last = torch.full((len(rows), 1), EOS, device=tokens.device)
    while rows:
        last = _likeliest(model.decode_text(last, memory, cache=cache)[:, -1])
        places = []
        for place, (row, token) in enumerate(zip(rows, last.tolist(), strict=True)):
            if token == EOS:
                is_complete[row] = True
            elif len(written[row]) < limits[row]:
                written[row].append(token)
                places.append(place)
        if len(places) < len(rows):
            kept = torch.tensor(places, dtype=torch.long, device=tokens.device)
            rows, last = [rows[place] for place in places], last[kept]
            cache.reorder(kept)
        last = last[:, None]
    return [Written(*row) for row in zip(written, is_complete, strict=True)]


def _likeliest(logits: Float[Tensor, "row vocab"]) -> Int[Tensor, " row"]:
    """Of the tokens that may stand in a sequence, and its end."""
    if not bool(torch.isfinite(logits).all()):
        raise CheckpointError(
            "the model gives values that are not numbers",
            given="nan or infinite logits",
            mend="Use an earlier checkpoint; the training that made this one has diverged.",
        )
    logits = logits.clone()
    logits[:, [BOS, PAD, UNK]] = -torch.inf
    return logits.argmax(dim=1)
