"""Sums over the alignments of known transcripts under CTC: forward, backward, and with one token changed.

The recursions are those of Graves et al. (2006), over how many tokens have been said and whether the last frame was a
blank; all utterances of a batch go through their frames together. Everything is a natural logarithm in float64.
"""

from dataclasses import dataclass

import torch

from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.shapes import Bool, Float, Int, Tensor


@dataclass(frozen=True, eq=False)
class Spoken:
    """What is said in a batch, and what is heard."""

    log_probs: Float[Tensor, "batch frame vocab"]  # numbers at padding too
    lengths: Int[Tensor, " batch"]
    tokens: Int[Tensor, "batch token"]  # padded with the blank
    token_lengths: Int[Tensor, " batch"]
    blank: int

    def is_padding(self) -> Bool[Tensor, "batch frame"]:
        """True behind the last frame of an utterance."""
        return padding_mask_from_lengths(self.lengths, self.log_probs.shape[1])

    def heard(self) -> Float[Tensor, "batch frame token"]:
        """The log-probability of each token of the transcript in each frame."""
        batch, num_frames, _ = self.log_probs.shape
        return self.log_probs.gather(2, self.tokens[:, None].expand(batch, num_frames, -1))

    def needs_blank(self) -> Bool[Tensor, "batch tokens"]:
        """For each number of tokens said: whether the next one equals the last, and so needs a blank in between."""
        same = self.tokens[:, 1:] == self.tokens[:, :-1]
        return torch.nn.functional.pad(same, (1, 1))[:, : self.tokens.shape[1] + 1]


@dataclass(frozen=True, eq=False)
class Sums:
    """For each number of frames heard and tokens said: of all ways to come there, or to go on to the end from there."""

    with_blank: Float[Tensor, "batch frames tokens"]  # the last frame heard was a blank, or there was none
    with_token: Float[Tensor, "batch frames tokens"]  # it was the last token said

    def either(self) -> Float[Tensor, "batch frames tokens"]:
        """Whatever it was."""
        return torch.logaddexp(self.with_blank, self.with_token)


def forward_sums(spoken: Spoken) -> Sums:
    """Of all beginnings; behind the length of an utterance they are those at its end."""
    batch, num_frames, _ = spoken.log_probs.shape
    places = spoken.tokens.shape[1] + 1
    heard, blanks, needs_blank = spoken.heard(), spoken.log_probs[:, :, spoken.blank, None], spoken.needs_blank()
    never = heard.new_full((batch, 1), -torch.inf)
    with_blank = heard.new_full((batch, places), -torch.inf)
    with_blank[:, 0] = 0.0
    with_token = torch.full_like(with_blank, -torch.inf)
    rows = [(with_blank, with_token)]
    for frame in range(num_frames):
        either = torch.logaddexp(with_blank, with_token)
        before = torch.where(needs_blank, with_blank, either)[:, :-1]
        said = torch.logaddexp(with_token[:, 1:], before) + heard[:, frame]
        is_heard = (frame < spoken.lengths)[:, None]
        with_blank = torch.where(is_heard, either + blanks[:, frame], with_blank)
        with_token = torch.where(is_heard, torch.cat([never, said], dim=1), with_token)
        rows.append((with_blank, with_token))
    return Sums(*(torch.stack(part, dim=1) for part in zip(*rows, strict=True)))


def backward_sums(spoken: Spoken) -> Sums:
    """Of all ways to go on; the frames heard so far are not counted, and behind the length the end is reached."""
    batch, num_frames, _ = spoken.log_probs.shape
    places = spoken.tokens.shape[1] + 1
    heard, blanks, needs_blank = spoken.heard(), spoken.log_probs[:, :, spoken.blank, None], spoken.needs_blank()
    never = heard.new_full((batch, 1), -torch.inf)
    is_end = torch.arange(places, device=heard.device) == spoken.token_lengths[:, None]
    end = torch.where(is_end, 0.0, never)
    with_blank, with_token = end, end
    rows = [(with_blank, with_token)]
    for frame in range(num_frames - 1, -1, -1):
        said = heard[:, frame] + with_token[:, 1:]
        begun, still = torch.cat([said, never], dim=1), torch.cat([never, said], dim=1)
        from_blank = torch.logaddexp(blanks[:, frame] + with_blank, begun)
        from_token = torch.where(needs_blank, blanks[:, frame] + with_blank, from_blank)
        is_heard = (frame < spoken.lengths)[:, None]
        with_token = torch.where(is_heard, torch.logaddexp(from_token, still), end)
        with_blank = torch.where(is_heard, from_blank, end)
        rows.append((with_blank, with_token))
    return Sums(*(torch.stack(part, dim=1) for part in zip(*reversed(rows), strict=True)))
