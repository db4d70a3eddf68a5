"""CTC as a scorer of the next token: prefix probabilities of all hypotheses and all tokens at once.

The probability that a transcript begins with the prefix g is a sum over frames (Watanabe et al., 2017, algorithm 2):
with `r_n(t)` and `r_b(t)` the probabilities that the first t frames say g and end in its last token, or in a blank,

    psi(g + c) = sum over t of phi(t - 1) p(c | t)    phi = r_n + r_b, or only r_b where c repeats the last token.

For all tokens c that is one product of matrices; only the tokens that the search keeps need the recurrence over frames,

    r_n(t) = (r_n(t - 1) + phi(t - 1)) p(c | t)       r_b(t) = (r_b(t - 1) + r_n(t - 1)) p(blank | t),

and both lines have the form x(t) = (x(t - 1) + y(t - 1)) p(t), which a cumulative sum solves. So every token is scored
exactly, and no list of candidates decides which are.
"""

from dataclasses import dataclass, replace

import torch

from sprachbund.decoding.search.groups import Groups
from sprachbund.decoding.search.log_sums import LEAST_SUM, finite_scale, log_sums, scaled_exp
from sprachbund.shapes import Float, Int, Tensor

# Stands for minus infinity inside the recurrence, where it would cancel; half of it is less than any real sum.
_NEVER = -1e6
_SUMS_AT_ONCE = 4096


@dataclass(frozen=True)
class CtcOutput:
    """What a CTC head gives."""

    logits: Float[Tensor, "batch frame vocab"]  # or log-probabilities
    lengths: Int[Tensor, " batch"]  # valid frames
    blank: int


@dataclass(frozen=True)
class _Prefixes:
    """The hypotheses of all rows; frame 0 stands before the first one."""

    utterances: Int[Tensor, " row"]  # places among the utterances that are held
    last: Int[Tensor, " row"]  # -1 where there is no token
    log_psi: Float[Tensor, " row"]  # that a transcript begins so
    log_ends: Float[Tensor, "row frame"]  # log(r_n + r_b)
    log_blank_ends: Float[Tensor, "row frame"]  # log r_b

    def select(self, rows: Int[Tensor, " kept"]) -> "_Prefixes":
        return _Prefixes(
            self.utterances[rows],
            self.last[rows],
            self.log_psi[rows],
            self.log_ends[rows],
            self.log_blank_ends[rows],
        )


class CtcPrefixScorer:
    """CTC prefix probabilities as a scorer, in double precision; starts with one row an utterance.

    What a row scores is a distribution over the next token and the end. A prefix that cannot be said in the frames has
    probability 0, however it goes on. The blank is never next.

    Args:
        output: of the CTC head; frames past the lengths are not read.
        eos: the end of the sentence; its column of the CTC head is not read.
    """

    def __init__(self, output: CtcOutput, *, eos: int) -> None:
        self._blank, self._eos = output.blank, eos
        log_probs = output.logits.double().log_softmax(dim=2).transpose(1, 2)  # batch frame vocab -> batch vocab frame
        # One frame of padding more, so that no sum is over nothing.
        log_probs = torch.nn.functional.pad(log_probs, (0, 1))
        frames = torch.arange(log_probs.shape[2], device=log_probs.device)
        padding = frames >= output.lengths[:, None, None]
        self._log_probs = log_probs.masked_fill(padding, -torch.inf)
        self._probs = self._log_probs.exp()
        self._is_said = (self._log_probs > -torch.inf).any(dim=2)  # batch vocab: possible in some frame
        self._lengths = output.lengths
        self._prefixes = _empty_prefixes(self._log_probs[:, self._blank])
        self._log_psi: Tensor | None = None  # row vocab; None before the first score

    def score(self, last_tokens: Int[Tensor, " row"]) -> Float[Tensor, "row vocab"]:
        """Log-probabilities of the next token; the first call, whatever its tokens, scores the empty prefix."""
        if self._log_psi is not None:
            self._prefixes = self._grow(last_tokens, self._log_psi.gather(1, last_tokens[:, None])[:, 0])
        prefixes = self._prefixes
        log_psi = self._grown_log_psi()
        log_psi[:, self._blank] = -torch.inf
        lengths = self._lengths[prefixes.utterances]
        log_psi[:, self._eos] = prefixes.log_ends.gather(1, lengths[:, None])[:, 0]
        self._log_psi = log_psi
        possible = prefixes.log_psi > -torch.inf
        given = prefixes.log_psi.masked_fill(~possible, 0.0)
        # Rounding may lift the likeliest a trifle above probability 1.
        return (log_psi - given[:, None]).masked_fill(~possible[:, None], -torch.inf).clamp(max=0.0)

    def reorder(self, rows: Int[Tensor, " kept"]) -> None:
        """Go on with these rows; utterances without any are given up."""
        self._prefixes = self._prefixes.select(rows)
        if self._log_psi is not None:
            self._log_psi = self._log_psi[rows]
        groups, held = Groups.of(self._prefixes.utterances), self._prefixes
        present = groups.utterances
        if not torch.equal(present, torch.arange(len(self._lengths), device=present.device)):
            self._log_probs, self._probs = self._log_probs[present], self._probs[present]
            self._is_said, self._lengths = self._is_said[present], self._lengths[present]
            self._prefixes = replace(held, utterances=groups.group)

    def _grow(self, tokens: Int[Tensor, " row"], log_psi: Float[Tensor, " row"]) -> _Prefixes:
        """The prefixes longer by one token each."""
        held = self._prefixes
        log_probs = self._log_probs[held.utterances, tokens]  # row frame
        blanks = self._log_probs[:, self._blank][held.utterances]
        is_repeat = (tokens == held.last)[:, None]
        log_phi = torch.where(is_repeat, held.log_blank_ends, held.log_ends)
        log_token_ends = _accumulate(log_phi, log_probs)
        log_blank_ends = _accumulate(log_token_ends, blanks)
        log_ends = torch.logaddexp(log_token_ends, log_blank_ends)
        return _Prefixes(held.utterances, tokens, log_psi, log_ends, log_blank_ends)

    def _grown_log_psi(self) -> Float[Tensor, "row vocab"]:
        """Log psi(g + c) of every row and token; the columns of blank and end mean nothing."""
        held = self._prefixes
        groups = Groups.of(held.utterances)
        scale = finite_scale(held.log_ends.amax(dim=1, keepdim=True))
        phi = groups.spread(scaled_exp(held.log_ends[:, :-1], scale), 0.0)  # row frame -> utterance slot frame
        sums = groups.gather(torch.bmm(phi, self._probs.transpose(1, 2)))
        is_possible = (held.log_psi > -torch.inf)[:, None]
        log_psi = (sums.log() + scale).masked_fill(~is_possible, -torch.inf)
        # Rare on real posteriors, but a sum of doubles would lose what is far below its largest addend.
        is_lost = (sums < LEAST_SUM) & is_possible & self._is_said[held.utterances]
        self._sum_again(log_psi, held.log_ends, *is_lost.nonzero().unbind(dim=1))
        repeats = (held.last >= 0).nonzero()[:, 0]
        self._sum_again(log_psi, held.log_blank_ends, repeats, held.last[repeats])
        return log_psi

    def _sum_again(
        self,
        log_psi: Float[Tensor, "row vocab"],
        log_ends: Float[Tensor, "row frame"],
        rows: Int[Tensor, " place"],
        tokens: Int[Tensor, " place"],
    ) -> None:
        """Put the sums over frames of some rows and tokens in place, all in logarithms."""
        for first in range(0, len(rows), _SUMS_AT_ONCE):
            some, said = rows[first : first + _SUMS_AT_ONCE], tokens[first : first + _SUMS_AT_ONCE]
            log_probs = self._log_probs[self._prefixes.utterances[some], said]
            log_psi[some, said] = log_sums(log_ends[some, :-1] + log_probs)


def _empty_prefixes(blanks: Float[Tensor, "batch frame"]) -> _Prefixes:
    """The prefix without a token, said by blanks alone."""
    batch, device = len(blanks), blanks.device
    log_blank_ends = torch.nn.functional.pad(blanks.cumsum(dim=1), (1, 0))
    return _Prefixes(
        utterances=torch.arange(batch, device=device),
        last=torch.full((batch,), -1, dtype=torch.long, device=device),
        log_psi=blanks.new_zeros(batch),
        log_ends=log_blank_ends,
        log_blank_ends=log_blank_ends,
    )


def _accumulate(
    log_before: Float[Tensor, "row before"], log_probs: Float[Tensor, "row frame"]
) -> Float[Tensor, "row before"]:
    """Log x of x(t) = (x(t - 1) + y(t - 1)) p(t), x(0) = 0; `log_before` is log y, and has a frame 0 as the result has.

    With P(t) the product of p up to t, x(t) / P(t) is the sum of y(s) / P(s) over s < t.
    """
    log_products = torch.nn.functional.pad(log_probs.clamp(min=_NEVER).cumsum(dim=1), (1, 0))
    sums = (log_before - log_products)[:, :-1].logcumsumexp(dim=1) + log_products[:, 1:]
    sums = sums.masked_fill(sums < _NEVER / 2, -torch.inf)
    return torch.nn.functional.pad(sums, (1, 0), value=-torch.inf)
