"""How sure CTC is of each token of a transcript, and of each word: numbers from 0 to 1.

The confidence of a token is its posterior probability against every other token, and none, in its place, with the rest
of the transcript as it is: the sum over all alignments with the token, divided by that sum for all that could stand
there. So it needs no beam and no path, and says the same of a hypothesis wherever it was found.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

import torch

from sprachbund.decoding.ctc.sums import Spoken, Sums, backward_sums, forward_sums
from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.viterbi import require_numbers
from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.shapes import Float, Int, Tensor

MOST_RIVALS = 64  # tokens compared with; those that are never likely in an utterance add nothing


def word_confidence(confidences: Sequence[float]) -> float:
    """Of a word, from those of its tokens: the chance that all are right, were they independent."""
    return math.prod(confidences)


@torch.no_grad()
def ctc_confidences(
    logits: Float[Tensor, "batch frame vocab"],
    lengths: Int[Tensor, " batch"],
    hypotheses: Sequence[Hypothesis],
    *,
    blank: int,
    forbidden: Collection[int] = (),
) -> list[Hypothesis]:
    """The same hypotheses with the confidence of each token, whichever search found them.

    Args:
        logits: CTC logits, or log-probabilities; frames past the length are ignored.
        lengths: valid frames.
        hypotheses: one an utterance; where its tokens do not fit into the frames, all confidences are 0.
        blank: the id of the blank.
        forbidden: ids that are never emitted, and so stand against nothing.

    Raises:
        CheckpointError: a valid frame holds values that are not numbers.
    """
    if not any(hypothesis.tokens for hypothesis in hypotheses):
        return list(hypotheses)
    log_probs = logits.double().log_softmax(dim=2)
    require_numbers(log_probs, lengths)
    log_probs[:, :, [symbol for symbol in forbidden if symbol != blank]] = -torch.inf
    log_probs[padding_mask_from_lengths(lengths, logits.shape[1])] = 0.0
    rows = [torch.tensor(hypothesis.tokens, dtype=torch.long) for hypothesis in hypotheses]
    tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=blank).to(logits.device)
    spoken = Spoken(log_probs, lengths, tokens, torch.tensor([len(row) for row in rows], device=logits.device), blank)
    posteriors = _posteriors(spoken).tolist()
    return [
        replace(hypothesis, confidences=tuple(row[: len(hypothesis.tokens)]))
        for hypothesis, row in zip(hypotheses, posteriors, strict=True)
    ]


def _posteriors(spoken: Spoken) -> Float[Tensor, "batch token"]:
    ahead, back = forward_sums(spoken), backward_sums(spoken)
    rows = torch.arange(len(spoken.lengths), device=spoken.lengths.device)
    whole = ahead.either()[:, -1][rows, spoken.token_lengths, None]
    others = torch.logaddexp(_changed(spoken, ahead, back), _left_out(spoken, ahead, back))
    # Where the transcript cannot be said at all, nothing is sure.
    return (whole - torch.logaddexp(whole, others)).exp().nan_to_num(0.0)


def _changed(spoken: Spoken, ahead: Sums, back: Sums) -> Float[Tensor, "batch token"]:
    """Of all transcripts that have another token in one place."""
    batch, num_frames, vocab = spoken.log_probs.shape
    peaks = spoken.log_probs.masked_fill(spoken.is_padding()[:, :, None], -torch.inf).amax(dim=1)
    peaks[:, spoken.blank] = -torch.inf
    highest, rivals = peaks.topk(min(MOST_RIVALS, vocab), dim=1)
    heard = spoken.log_probs.gather(2, rivals[:, None].expand(batch, num_frames, -1))
    begins_same = rivals[:, None] == _shifted(spoken.tokens, 1, spoken.blank)[:, :, None]  # batch token rival
    goes_on_same = rivals[:, None] == _shifted(spoken.tokens, -1, spoken.blank)[:, :, None]
    entry = ahead.with_blank[:, :-1, :-1, None], ahead.either()[:, :-1, :-1, None]
    leaving = _through_blank(spoken, back)[..., None], _leaving(spoken, back)[..., None]
    going = found = heard.new_full((batch, spoken.tokens.shape[1], rivals.shape[1]), -torch.inf)
    for frame in range(num_frames):
        begun = torch.where(begins_same, entry[0][:, frame], entry[1][:, frame])
        going = torch.logaddexp(going, begun) + heard[:, None, frame]
        found = torch.logaddexp(found, going + torch.where(goes_on_same, leaving[0][:, frame], leaving[1][:, frame]))
    is_rival = (rivals[:, None] != spoken.tokens[:, :, None]) & (highest[:, None] > -torch.inf)
    return found.masked_fill(~is_rival, -torch.inf).logsumexp(dim=2)


def _leaving(spoken: Spoken, back: Sums) -> Float[Tensor, "batch frame token"]:
    """Of all ways to go on when a token ends with a frame, and differs from the next one."""
    return back.with_blank[:, 1:, 1:].masked_fill(spoken.is_padding()[:, :, None], -torch.inf)


def _through_blank(spoken: Spoken, back: Sums) -> Float[Tensor, "batch frame token"]:
    """The same where the next token equals it: the frame behind is a blank, or there is none."""
    later = spoken.log_probs[:, 1:, spoken.blank, None] + back.with_blank[:, 2:, 1:]
    later = torch.nn.functional.pad(later, (0, 0, 0, 1), value=-torch.inf)
    frames = torch.arange(1, spoken.log_probs.shape[1] + 1, device=later.device)[:, None]
    lengths = spoken.lengths[:, None, None]
    return torch.where(frames < lengths, later, torch.where(frames == lengths, back.with_blank[:, -1:, 1:], -torch.inf))


def _left_out(spoken: Spoken, ahead: Sums, back: Sums) -> Float[Tensor, "batch token"]:
    """Of the transcripts that lack one token."""
    before, after = _shifted(spoken.tokens, 1, spoken.blank), _shifted(spoken.tokens, -1, spoken.blank)
    is_same = (before == after)[:, None]
    entry = torch.where(is_same, ahead.with_blank[:, :-1, :-1], ahead.either()[:, :-1, :-1])
    begun = spoken.heard()[:, :, 1:] + back.with_token[:, 1:, 2:]
    joined = entry[:, :, :-1] + begun
    joined = joined.masked_fill(spoken.is_padding()[:, :, None], -torch.inf).logsumexp(dim=1)
    joined = torch.nn.functional.pad(joined, (0, 1), value=-torch.inf)
    # Without its last token a transcript ends one earlier.
    is_last = torch.arange(1, spoken.tokens.shape[1] + 1, device=joined.device) == spoken.token_lengths[:, None]
    return torch.where(is_last, ahead.either()[:, -1, :-1], joined)


def _shifted(tokens: Int[Tensor, "batch token"], by: int, filler: int) -> Int[Tensor, "batch token"]:
    """What stands `by` places earlier; `filler` where nothing stands."""
    nothing = torch.full_like(tokens[:, :1], filler)
    return torch.cat([nothing, tokens[:, :-1]] if by > 0 else [tokens[:, 1:], nothing], dim=1)
