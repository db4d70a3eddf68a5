"""When the words of a transcript were said, by where a text decoder looks: time warping over its attention.

A recogniser without CTC reads its own transcript once more; each of its tokens looks at the frames it comes from. Every
frame then belongs to one token, tokens in their order, so that the weights along the way are largest (dynamic time
warping, as a Viterbi path).
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch.nn.utils.rnn import pad_sequence

from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.search.attention import AcceptedMemory, MemoryType
from sprachbund.decoding.times.timestamps import (
    FRAME_SECONDS,
    TokenTime,
    WordTime,
    even_times,
    times_of_hypotheses,
)
from sprachbund.decoding.viterbi import StateGraph, best_paths, runs
from sprachbund.shapes import Float, Int, Tensor
from sprachbund.tokens.text import TextTokenizer
from sprachbund.tokens.vocabulary import EOS, PAD

FLOOR = 1e-6  # least weight: what a head does not look at is unlikely, not impossible


@runtime_checkable
class AttentiveDecoder(Protocol[AcceptedMemory]):
    """A model that tells where its text decoder looks."""

    def text_attention(
        self, tokens: Int[Tensor, "batch token"], memory: AcceptedMemory
    ) -> tuple[Float[Tensor, "batch head token frame"], ...]:
        """Weights over the frames of each layer while it reads each of the tokens."""
        ...


def attention_word_times(
    decoder: AttentiveDecoder[MemoryType],
    memory: MemoryType,
    hypotheses: Sequence[Hypothesis],
    tokenizer: TextTokenizer,
    layers: Sequence[int] | None = None,
) -> list[tuple[WordTime, ...]]:
    """The words of every utterance's hypothesis in time, in order, without overlap, inside the recording.

    Args:
        decoder: the model, in evaluation mode.
        memory: its encoder's output.
        hypotheses: one an utterance.
        tokenizer: of their tokens.
        layers: the decoder layers whose heads are averaged; None for all.
    """
    tokens = [hypothesis.tokens for hypothesis in hypotheses]
    times = attention_token_times(decoder, memory, tokens, layers)
    return times_of_hypotheses(tokenizer, hypotheses, times, memory.lengths)


@torch.no_grad()
def attention_token_times(
    decoder: AttentiveDecoder[MemoryType],
    memory: MemoryType,
    tokens: Sequence[Sequence[int]],
    layers: Sequence[int] | None = None,
) -> list[tuple[TokenTime, ...]]:
    """The times of the tokens of every utterance, in order and without overlap, inside the recording.

    All frames are given to tokens: silence before the first one to it, that behind the last one to the end of the
    sentence. Of more tokens than frames all are spread evenly. Arguments are as of `attention_word_times`.
    """
    if not tokens:
        return []
    read = [torch.tensor([EOS, *line], device=memory.lengths.device) for line in tokens]
    weights = decoder.text_attention(pad_sequence(read, batch_first=True, padding_value=PAD), memory)
    chosen = weights if layers is None else [weights[layer] for layer in layers]
    # (batch, token, frame) -> (batch, frame, token): the tokens are what a frame chooses from.
    looked = torch.stack([layer.float().mean(dim=1) for layer in chosen]).mean(dim=0).transpose(1, 2)
    paths = best_paths(looked.clamp(min=FLOOR).log(), memory.lengths, [_chain(len(line) + 1) for line in tokens])
    return [
        even_times(len(line), length)
        if path is None
        else tuple(TokenTime(start * FRAME_SECONDS, end * FRAME_SECONDS) for _, start, end in runs(path.states))[:-1]
        for path, line, length in zip(paths, tokens, memory.lengths.tolist(), strict=True)
    ]


def _chain(num_states: int) -> StateGraph:
    """States one after another, none left out."""
    before = tuple((state, state - 1) if state else (state,) for state in range(num_states))
    return StateGraph(tuple(range(num_states)), before, (0,), (num_states - 1,))
