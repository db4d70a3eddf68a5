"""When the words of a transcript were said, by CTC: its likeliest path through the frames (Graves et al., 2006)."""

from collections.abc import Sequence

import torch

from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.phones.graphs import ctc_graph
from sprachbund.decoding.search.ctc_prefix import CtcOutput
from sprachbund.decoding.times.timestamps import (
    FRAME_SECONDS,
    TokenTime,
    WordTime,
    even_times,
    times_of_hypotheses,
)
from sprachbund.decoding.viterbi import BestPath, best_paths, runs
from sprachbund.shapes import Float, Int, Tensor
from sprachbund.tokens.text import TextTokenizer


def ctc_word_times(
    ctc: CtcOutput, hypotheses: Sequence[Hypothesis], tokenizer: TextTokenizer
) -> list[tuple[WordTime, ...]]:
    """The words of every utterance's hypothesis in time, in order, without overlap, inside the recording.

    Args:
        ctc: what the CTC head says of the utterances.
        hypotheses: one an utterance, from any decoder.
        tokenizer: of their tokens.

    Raises:
        CheckpointError: a valid frame holds what is not a number.
    """
    tokens = [hypothesis.tokens for hypothesis in hypotheses]
    times = ctc_token_times(ctc.logits, ctc.lengths, tokens, blank=ctc.blank)
    return times_of_hypotheses(tokenizer, hypotheses, times, ctc.lengths)


@torch.no_grad()
def ctc_token_times(
    logits: Float[Tensor, "batch frame vocab"],
    lengths: Int[Tensor, " batch"],
    tokens: Sequence[Sequence[int]],
    *,
    blank: int,
) -> list[tuple[TokenTime, ...]]:
    """The times of the tokens of every utterance, in order and without overlap, inside the recording.

    Each token has the frames that the likeliest path of its transcript gives it. Where no path fits, as of more tokens
    than frames, they are spread evenly.

    Args:
        logits: of CTC, or log-probabilities; frames past the length are not read.
        lengths: valid frames.
        tokens: the transcript of each utterance; it may come from any decoder.
        blank: the id of the blank.

    Raises:
        CheckpointError: a valid frame holds what is not a number.
    """
    graphs = [ctc_graph(line, blank) for line in tokens]
    paths = best_paths(logits.float().log_softmax(dim=2), lengths, graphs)
    return [
        even_times(len(line), length) if path is None else _spoken(path)
        for path, line, length in zip(paths, tokens, lengths.tolist(), strict=True)
    ]


def _spoken(path: BestPath) -> tuple[TokenTime, ...]:
    # The states of `ctc_graph` take turns: a blank, a token, a blank ...
    return tuple(
        TokenTime(start * FRAME_SECONDS, end * FRAME_SECONDS) for state, start, end in runs(path.states) if state % 2
    )
