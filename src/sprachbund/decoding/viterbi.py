"""The likeliest path of every utterance of a batch through a graph of its own (Viterbi, 1967).

A graph says which states an utterance may pass and in which order: the phones of a transcript with pauses between them,
or the labels of CTC with blanks. All utterances of a batch go through their frames together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from sprachbund.errors import CheckpointError
from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.shapes import Array, Bool, Float, Int, Integer, Tensor


@dataclass(frozen=True)
class StateGraph:
    """The states of one utterance; all tuples but `first` and `last` have one entry a state."""

    symbols: tuple[int, ...]  # what is heard in a state
    before: tuple[tuple[int, ...], ...]  # states of the frame before, in order of preference where equally likely
    first: tuple[int, ...]  # states of the first frame
    last: tuple[int, ...]  # states of the last one


@dataclass(frozen=True, eq=False)
class BestPath:
    """The likeliest path of one utterance."""

    states: Int[Array, " frame"]
    log_probability: float


def runs(states: Int[Array, " frame"]) -> Iterator[tuple[int, int, int]]:
    """Each state that differs from the one before it, with its first frame and the frame after its last one."""
    starts = np.flatnonzero(np.diff(states, prepend=-1)).tolist()
    for start, end in pairwise([*starts, len(states)]):
        yield int(states[start]), start, end


@torch.no_grad()
def best_paths(
    log_probs: Float[Tensor, "batch frame vocab"], lengths: Int[Tensor, " batch"], graphs: Sequence[StateGraph]
) -> list[BestPath | None]:
    """The likeliest path of every utterance; None where none fits, as with fewer frames than a graph has to pass.

    Memory is a byte for each utterance, frame and state. Of equally likely paths the one is taken that comes first in
    the graph, seen from the end; so neither padding nor the other utterances change a path.

    Args:
        log_probs: of the symbols in each frame, or other scores that add up; padding is not read.
        lengths: valid frames.
        graphs: one an utterance.

    Raises:
        CheckpointError: a valid frame holds what is not a number.
    """
    require_numbers(log_probs, lengths)
    if not graphs or log_probs.shape[1] == 0:
        return [None] * len(graphs)
    packed = _pack(graphs, log_probs.device)
    scores, choices = _forward(log_probs, lengths, packed)
    found, ends = scores.masked_fill(~packed.is_last, -torch.inf).max(dim=1)
    found = found.masked_fill(lengths == 0, -torch.inf)
    states = _backward(choices, ends, lengths, packed.before).cpu().numpy()
    return [
        BestPath(states[row, :length], score) if np.isfinite(score) else None
        for row, (length, score) in enumerate(zip(lengths.tolist(), found.tolist(), strict=True))
    ]


@dataclass(frozen=True, eq=False)
class _Packed:
    """Graphs side by side."""

    symbols: Int[Tensor, "batch state"]
    before: Int[Tensor, "batch state choice"]  # the number of states where there are fewer choices
    is_first: Bool[Tensor, "batch state"]
    is_last: Bool[Tensor, "batch state"]


def _pack(graphs: Sequence[StateGraph], device: torch.device) -> _Packed:
    num_states = max(len(graph.symbols) for graph in graphs)
    num_choices = max((len(states) for graph in graphs for states in graph.before), default=1)
    symbols = np.zeros((len(graphs), num_states), dtype=np.int64)
    before = np.full((len(graphs), num_states, max(num_choices, 1)), num_states, dtype=np.int64)
    is_first, is_last = np.zeros((2, len(graphs), num_states), dtype=bool)
    for row, graph in enumerate(graphs):
        symbols[row, : len(graph.symbols)] = graph.symbols
        for state, states in enumerate(graph.before):
            before[row, state, : len(states)] = states
        is_first[row, list(graph.first)] = True
        is_last[row, list(graph.last)] = True
    return _Packed(*(torch.from_numpy(part).to(device) for part in (symbols, before, is_first, is_last)))


def _forward(
    log_probs: Float[Tensor, "batch frame vocab"], lengths: Int[Tensor, " batch"], graphs: _Packed
) -> tuple[Float[Tensor, "batch state"], Integer[Tensor, "batch frame state"]]:
    """The score of the best path into each state at the end, and which choice led to each state of each frame."""
    batch, num_states, num_choices = graphs.before.shape
    num_frames = log_probs.shape[1]
    # With very many choices, which no transcript has, a byte would not hold them.
    kind = torch.uint8 if num_choices <= 256 else torch.int16
    choices = torch.zeros(batch, num_frames, num_states, dtype=kind, device=log_probs.device)
    scores = log_probs[:, 0].float().gather(1, graphs.symbols).masked_fill(~graphs.is_first, -torch.inf)
    places, nowhere = graphs.before.flatten(1), scores.new_full((batch, 1), -torch.inf)
    is_valid = ~padding_mask_from_lengths(lengths, num_frames)
    for frame in range(1, num_frames):
        reached = torch.cat([scores, nowhere], dim=1).gather(1, places).view(graphs.before.shape)
        best, choice = reached.max(dim=2)
        choices[:, frame] = choice.to(kind)
        heard = best + log_probs[:, frame].float().gather(1, graphs.symbols)
        scores = torch.where(is_valid[:, frame, None], heard, scores)
    return scores, choices


def _backward(
    choices: Integer[Tensor, "batch frame state"],
    ends: Int[Tensor, " batch"],
    lengths: Int[Tensor, " batch"],
    before: Int[Tensor, "batch state choice"],
) -> Int[Tensor, "batch frame"]:
    """The states from the last one back; at padding the last one."""
    batch, num_frames, num_states = choices.shape
    rows = torch.arange(batch, device=choices.device)
    states = ends[:, None].repeat(1, num_frames)
    for frame in range(num_frames - 1, 0, -1):
        now = states[:, frame]
        came_from = before[rows, now, choices[rows, frame, now].long()]
        # An impossible path leads nowhere; it is not handed out.
        moved = torch.where(frame < lengths, came_from.clamp(max=num_states - 1), now)
        states[:, frame - 1] = moved
    return states


def require_numbers(log_probs: Float[Tensor, "batch frame vocab"], lengths: Int[Tensor, " batch"]) -> None:
    """Refuse nan and plus infinity in valid frames; minus infinity is a score, of what cannot be.

    Raises:
        CheckpointError: there is such a value.
    """
    valid = ~padding_mask_from_lengths(lengths, log_probs.shape[1])
    wrong = (torch.isnan(log_probs) | (log_probs == torch.inf)).any(dim=2) & valid
    if bool(wrong.any()):
        raise CheckpointError(
            "the model gives values that are not numbers",
            given="nan or infinite scores",
            mend="Take an earlier checkpoint; the training that made this one has diverged.",
        )
