"""The prefixes of a CTC beam search as tensors, and what one frame makes of them (Graves, 2012; Hannun et al., 2014).

A prefix is a transcript so far. All its alignments are summed up in two numbers: those that end with a blank, and those
that end with its last token. The prefixes of an utterance are slots side by side, better ones first; a slot of
probability 0 holds none.
"""

from dataclasses import dataclass, fields

import torch

from sprachbund.shapes import Bool, Float, Int, Tensor

# Keys of no prefix at all, of what stands before the empty prefix, and of the empty prefix.
_NOBODY, _NOTHING, _EMPTY = -1, 0, 1
# Odd numbers of 62 bits whose bits look random.
_FIRST_FACTOR, _SECOND_FACTOR = 0x1D8E4E27C47D124F, 0x2545F4914F6CDD1D


@dataclass(frozen=True)
class Ranking:
    """What prefixes are ranked by: CTC, and the language model and the length with their weights."""

    language_weight: float
    length_bonus: float

    def weighted(self, language: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """What the language model adds; what it cannot say stays impossible at any weight, 0 included."""
        return torch.where(language.isneginf(), language, self.language_weight * language)

    def scores(
        self, ctc: Float[Tensor, "*shape"], language: Float[Tensor, "*shape"], lengths: Int[Tensor, "*other"]
    ) -> Float[Tensor, "*shape"]:
        """Of prefixes; larger is better."""
        return ctc + self.weighted(language) + self.length_bonus * lengths


@dataclass(frozen=True, eq=False)
class Prefixes:
    """The prefixes of each utterance; probabilities are natural logarithms in float64."""

    with_blank: Float[Tensor, "batch slot"]  # of the alignments that end with a blank
    with_token: Float[Tensor, "batch slot"]  # of those that end with the last token
    language: Float[Tensor, "batch slot"]  # of the tokens, by the language model alone
    lengths: Int[Tensor, "batch slot"]  # tokens
    last: Int[Tensor, "batch slot"]  # the last token; the blank where there is none
    # A prefix is known by 64 mixed bits: two of a beam of 100 are taken for one at a chance of 3e-16 a frame.
    keys: Int[Tensor, "batch slot"]
    parents: Int[Tensor, "batch slot"]  # keys of the same prefixes without their last token

    @staticmethod
    def empty(batch: int, blank: int, device: torch.device) -> "Prefixes":
        """The empty prefix for each utterance, before the first frame."""
        zeros = torch.zeros(batch, 1, dtype=torch.float64, device=device)
        whole = torch.zeros(batch, 1, dtype=torch.long, device=device)
        return Prefixes(
            with_blank=zeros,
            with_token=zeros - torch.inf,
            language=zeros,
            lengths=whole,
            last=whole + blank,
            keys=whole + _EMPTY,
            parents=whole + _NOTHING,
        )

    def probabilities(self) -> Float[Tensor, "batch slot"]:
        """Of all alignments of each prefix, by CTC alone."""
        return torch.logaddexp(self.with_blank, self.with_token)

    def utterances(self, start: int, end: int) -> "Prefixes":
        """Those of some of the utterances."""
        return Prefixes(**{field.name: getattr(self, field.name)[start:end] for field in fields(self)})

    def slots(self, places: Int[Tensor, "batch kept"]) -> "Prefixes":
        """Those in some of the slots."""
        return Prefixes(**{field.name: getattr(self, field.name).gather(1, places) for field in fields(self)})


@dataclass(frozen=True, eq=False)
class Frame:
    """What is heard in one frame, and which tokens may be said newly in it."""

    blank: Float[Tensor, " batch"]
    log_probs: Float[Tensor, "batch vocab"]
    candidates: Int[Tensor, "batch candidate"]  # tokens, each of them once; no blank
    candidate_log_probs: Float[Tensor, "batch candidate"]  # minus infinity where a token may not be said


@dataclass(frozen=True, eq=False)
class Step:
    """Where the prefixes after a frame come from."""

    origins: Int[Tensor, "batch slot"]  # slots before the frame
    tokens: Int[Tensor, "batch slot"]  # the token each grew by; -1 where it did not grow

    @property
    def is_grown(self) -> Bool[Tensor, "batch slot"]:
        """Whether a prefix is a token longer than its origin."""
        return self.tokens >= 0


def step_frame(
    prefixes: Prefixes, frame: Frame, gains: Float[Tensor, "batch slot candidate"], ranking: Ranking, beam: int
) -> tuple[Prefixes, Step]:
    """The best prefixes after one more frame; a prefix that is reached in several ways is one.

    Args:
        prefixes: before the frame.
        frame: what is heard.
        gains: what the language model says of each candidate after each prefix.
        ranking: what they are ranked by.
        beam: prefixes to keep of each utterance.
    """
    grown = _grown(prefixes, frame)
    stayed, reached_from = _stayed(prefixes, frame)
    grown = _without_known(grown, prefixes, frame, reached_from)
    language = prefixes.language[:, :, None] + gains
    scores = torch.cat(
        [
            ranking.scores(stayed.probabilities(), stayed.language, stayed.lengths),
            ranking.scores(grown, language, prefixes.lengths[:, :, None] + 1).flatten(1),
        ],
        dim=1,
    )
    best, places = _best(scores, beam)
    return _taken(stayed, grown, language, frame.candidates, places, best.isneginf())


def _best(
    scores: Float[Tensor, "batch choice"], most: int
) -> tuple[Float[Tensor, "batch kept"], Int[Tensor, "batch kept"]]:
    """The best scores, larger ones first, and their places; of equal ones the first.

    Top-k alone takes other ones of equal scores at other batch sizes, and a stable sort of all of them takes long.
    """
    kept = min(most, scores.shape[1])
    least = scores.topk(kept, dim=1).values[:, -1:]
    is_above, is_least = scores > least, scores == least
    is_kept = is_above | (is_least & (is_least.cumsum(dim=1) <= kept - is_above.sum(dim=1, keepdim=True)))
    places = is_kept.nonzero()[:, 1].view(-1, kept)
    best, order = scores.gather(1, places).sort(dim=1, descending=True, stable=True)
    return best, places.gather(1, order)


def _grown(prefixes: Prefixes, frame: Frame) -> Float[Tensor, "batch slot candidate"]:
    """The probability of each prefix with each candidate behind it."""
    # A token after itself needs a blank in between, else it is the same one, still going on.
    is_same = frame.candidates[:, None, :] == prefixes.last[:, :, None]
    before = torch.where(is_same, prefixes.with_blank[:, :, None], prefixes.probabilities()[:, :, None])
    return before + frame.candidate_log_probs[:, None, :]


def _stayed(prefixes: Prefixes, frame: Frame) -> tuple[Prefixes, Int[Tensor, "batch slot"]]:
    """The same prefixes after the frame, and the slot of each one's parent; -1 where the parent is in none."""
    total = prefixes.probabilities()
    heard = frame.log_probs.gather(1, prefixes.last)
    is_parent = prefixes.keys[:, None, :] == prefixes.parents[:, :, None]  # batch slot parent
    has_parent, parent = is_parent.any(dim=2), is_parent.to(torch.uint8).argmax(dim=2)
    is_same = prefixes.last.gather(1, parent) == prefixes.last
    before = torch.where(is_same, prefixes.with_blank.gather(1, parent), total.gather(1, parent))
    before = torch.where(has_parent, before, -torch.inf)
    stayed = Prefixes(
        with_blank=total + frame.blank[:, None],
        with_token=torch.logaddexp(prefixes.with_token, before) + heard,
        language=prefixes.language,
        lengths=prefixes.lengths,
        last=prefixes.last,
        keys=prefixes.keys,
        parents=prefixes.parents,
    )
    return stayed, torch.where(has_parent, parent, -1)


def _without_known(
    grown: Float[Tensor, "batch slot candidate"],
    prefixes: Prefixes,
    frame: Frame,
    reached_from: Int[Tensor, "batch slot"],
) -> Float[Tensor, "batch slot candidate"]:
    """Probability 0 for what has a slot already: those alignments have been counted there."""
    batch, num_slots, num_candidates = grown.shape
    nowhere = num_candidates
    place_of = torch.full_like(frame.log_probs, nowhere, dtype=torch.long)
    place_of.scatter_(1, frame.candidates, torch.arange(num_candidates, device=grown.device).expand(batch, -1))
    candidate = place_of.gather(1, prefixes.last)
    flat = torch.where(
        (reached_from >= 0) & (candidate != nowhere),
        reached_from * num_candidates + candidate,
        num_slots * num_candidates,
    )
    with_dump = torch.nn.functional.pad(grown.flatten(1), (0, 1))
    return with_dump.scatter_(1, flat, -torch.inf)[:, :-1].view_as(grown)


def _taken(
    stayed: Prefixes,
    grown: Float[Tensor, "batch slot candidate"],
    language: Float[Tensor, "batch slot candidate"],
    candidates: Int[Tensor, "batch candidate"],
    places: Int[Tensor, "batch kept"],
    is_nobody: Bool[Tensor, "batch kept"],
) -> tuple[Prefixes, Step]:
    """The prefixes at these places: those that stayed stand first, then each slot with each candidate."""
    num_slots, num_candidates = grown.shape[1:]
    is_grown = places >= num_slots
    extension = (places - num_slots).clamp(min=0)
    origins = torch.where(is_grown, extension // max(num_candidates, 1), places)
    old = stayed.slots(origins)
    if num_candidates == 0:
        tokens, with_token, spoken = old.last, old.with_token, old.language
    else:
        tokens = candidates.gather(1, extension % num_candidates)
        with_token, spoken = grown.flatten(1).gather(1, extension), language.flatten(1).gather(1, extension)
    taken = Prefixes(
        with_blank=old.with_blank.masked_fill(is_grown | is_nobody, -torch.inf),
        with_token=torch.where(is_grown, with_token, old.with_token).masked_fill(is_nobody, -torch.inf),
        language=torch.where(is_grown, spoken, old.language),
        lengths=old.lengths + is_grown.long(),
        last=torch.where(is_grown, tokens, old.last),
        keys=torch.where(is_grown, _key(old.keys, tokens), old.keys).masked_fill(is_nobody, _NOBODY),
        parents=torch.where(is_grown, old.keys, old.parents).masked_fill(is_nobody, _NOTHING),
    )
    return taken, Step(origins, torch.where(is_grown & ~is_nobody, tokens, -1))


def _key(keys: Int[Tensor, "batch slot"], tokens: Int[Tensor, "batch slot"]) -> Int[Tensor, "batch slot"]:
    """The keys of prefixes with one more token each; products wrap around."""
    mixed = (keys ^ ((tokens + 1) * _FIRST_FACTOR)) * _SECOND_FACTOR
    return mixed ^ (mixed >> 29)
