"""CTC prefix beam search over utterances and prefixes at once, with a language model (Graves, 2012; Hannun, 2014).

Nothing is computed for utterances that have ended, and none sees what shares its batch. With a beam that holds every
prefix the search is exact: a hypothesis has the probability of all its alignments, as the CTC loss has it.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import torch

from sprachbund.decoding.ctc.language import PrefixLanguage
from sprachbund.decoding.ctc.prefixes import Frame, Prefixes, Ranking, Step, step_frame
from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.language.automata import Automaton
from sprachbund.decoding.viterbi import require_numbers
from sprachbund.errors import RecipeError
from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.shapes import Float, Int, Tensor


@dataclass(frozen=True, kw_only=True)
class CtcBeamConfig:
    """The choices of a CTC prefix beam search.

    Raises:
        RecipeError: a value makes no sense.
    """

    beam: int = 16  # prefixes kept of each utterance
    num_best: int = 1  # hypotheses returned of each utterance; the best one does not depend on it
    # Tokens below this log-probability begin nothing new in a frame, which saves time; None lets all of them.
    token_threshold: float | None = None
    language_weight: float = 0.5  # of the language model, where there is one
    length_bonus: float = 0.0  # added for each token
    eos: int = 2  # the end of the sentence, which the language model scores

    def __post_init__(self) -> None:
        for name in ("beam", "num_best"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name} is too small", given=getattr(self, name), mend="Give at least 1.")
        if not (math.isfinite(self.language_weight) and self.language_weight >= 0):
            raise RecipeError("language_weight is no weight", given=self.language_weight, mend="Give at least 0.")
        for name in ("length_bonus", "token_threshold"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise RecipeError(f"{name} is no number", given=value, mend="Give a finite number.")


@torch.no_grad()
def ctc_prefix_beam(
    logits: Float[Tensor, "batch frame vocab"],
    lengths: Int[Tensor, " batch"],
    *,
    blank: int,
    config: CtcBeamConfig,
    automaton: Automaton | None = None,
    forbidden: Collection[int] = (),
) -> list[list[Hypothesis]]:
    """The best transcripts of every utterance under CTC and a language model.

    Args:
        logits: CTC logits, or log-probabilities; frames past the length are ignored.
        lengths: valid frames; with 0 there is the empty hypothesis alone.
        blank: the id of the blank.
        config: the choices of the search.
        automaton: the language model, or a list of words; scored as tokens are said, and at the end of the sentence.
        forbidden: ids that are never emitted, such as padding and the mask; the blank is always allowed.

    Returns:
        For each utterance, in the order of the batch, 1 to `config.num_best` hypotheses, best first. Their parts are
        "ctc" and, with a language model, "ngram". Where the language model lets no prefix of the beam end, the best one
        is shortened to the longest beginning that may end, and scored as that.

    Raises:
        CheckpointError: a valid frame holds values that are not numbers.
    """
    log_probs = _log_probs(logits, lengths, blank, forbidden)
    order = torch.argsort(lengths, descending=True, stable=True)
    search = _Search(log_probs[order], lengths[order].tolist(), blank, config, automaton)
    found = search.run()
    back = torch.argsort(order).tolist()
    return [found[place] for place in back]


def _log_probs(
    logits: Float[Tensor, "batch frame vocab"], lengths: Int[Tensor, " batch"], blank: int, forbidden: Collection[int]
) -> Float[Tensor, "batch frame vocab"]:
    """In float64, minus infinity where a token is forbidden: what is forbidden keeps its share of the probability."""
    log_probs = logits.double().log_softmax(dim=2)
    require_numbers(log_probs, lengths)
    log_probs[:, :, [symbol for symbol in forbidden if symbol != blank]] = -torch.inf
    return log_probs


class _Search:
    """One search; utterances stand in order of their lengths, so that those still going on are the first ones."""

    def __init__(
        self,
        log_probs: Float[Tensor, "batch frame vocab"],
        lengths: Sequence[int],
        blank: int,
        config: CtcBeamConfig,
        automaton: Automaton | None,
    ) -> None:
        self._log_probs, self._lengths, self._blank, self._config = log_probs, lengths, blank, config
        self._automaton = automaton
        self._ranking = Ranking(config.language_weight, config.length_bonus)
        self._language = PrefixLanguage(automaton, len(lengths), log_probs.device)
        self._prefixes = Prefixes.empty(len(lengths), blank, log_probs.device)
        self._steps = list[Step]()
        # What the best hypotheses of each utterance come to: slot at its end, score, CTC, language model.
        chosen = (len(lengths), config.num_best)
        self._slots = torch.zeros(chosen, dtype=torch.long, device=log_probs.device)
        self._figures = log_probs.new_full((*chosen, 3), -torch.inf)

    def run(self) -> list[list[Hypothesis]]:
        """The best hypotheses of every utterance."""
        active = len(self._lengths)
        for number, frame in enumerate(self._frames()):
            while self._lengths[active - 1] <= number:
                active -= 1
            self._leave(active)
            gains = self._language.gains(frame.candidates, self._prefixes.keys.shape[1])
            self._prefixes, step = step_frame(self._prefixes, frame, gains, self._ranking, self._config.beam)
            self._language.follow(step)
            self._steps.append(Step(step.origins.int(), step.tokens.int()))
        self._leave(0)
        tokens, figures = self._tokens(), self._figures.tolist()
        return [self._hypotheses(number, *both) for number, both in enumerate(zip(tokens, figures, strict=True))]

    def _frames(self) -> Iterator[Frame]:
        """The frames of the utterances that still go on."""
        num_frames = max(self._lengths, default=0)
        candidates = self._log_probs[:, :num_frames].clone()
        candidates[:, :, self._blank] = -torch.inf
        lengths = torch.tensor(self._lengths, device=candidates.device)
        counts = [candidates.shape[2]] * num_frames
        if self._config.token_threshold is not None and num_frames:
            candidates.masked_fill_(candidates < self._config.token_threshold, -torch.inf)
            is_padding = padding_mask_from_lengths(lengths, num_frames)
            counts = (candidates > -torch.inf).sum(dim=2).masked_fill(is_padding, 0).amax(dim=0).tolist()
        actives = (lengths[:, None] > torch.arange(num_frames, device=lengths.device)).sum(dim=0).tolist()
        for number, (count, active) in enumerate(zip(counts, actives, strict=True)):
            heard, new = self._log_probs[:active, number], candidates[:active, number]
            if count < new.shape[1]:
                new, tokens = (part[:, :count] for part in new.sort(dim=1, descending=True, stable=True))
            else:
                tokens = torch.arange(count, device=new.device).expand(active, -1)
            yield Frame(heard[:, self._blank], heard, tokens, new)

    def _leave(self, active: int) -> None:
        """Settle the utterances from number `active` on, which have ended."""
        present = len(self._prefixes.keys)
        if active == present:
            return
        ended, num_slots = self._prefixes.utterances(active, present), self._prefixes.keys.shape[1]
        language = ended.language + self._language.ends(self._config.eos, num_slots)[active:present]
        ctc = ended.probabilities()
        scores, places = self._ranking.scores(ctc, language, ended.lengths).sort(dim=1, descending=True, stable=True)
        kept = min(self._config.num_best, num_slots)
        figures = torch.stack([scores, ctc.gather(1, places), language.gather(1, places)], dim=2)
        self._slots[active:present, :kept] = places[:, :kept]
        self._figures[active:present, :kept] = figures[:, :kept]
        self._prefixes = self._prefixes.utterances(0, active)
        self._language.keep(active)

    def _tokens(self) -> list[list[list[int]]]:
        """The tokens of the chosen slots, followed from the end to the beginning."""
        said = torch.full((*self._slots.shape, len(self._steps)), -1, dtype=torch.int, device=self._slots.device)
        slots = self._slots.clone()
        for number in range(len(self._steps) - 1, -1, -1):
            step, active = self._steps[number], len(self._steps[number].origins)
            said[:active, :, number] = step.tokens.gather(1, slots[:active])
            slots[:active] = step.origins.gather(1, slots[:active]).long()
        return [[[token for token in row if token >= 0] for row in rows] for rows in said.tolist()]

    def _hypotheses(
        self, number: int, tokens: Sequence[Sequence[int]], figures: Sequence[Sequence[float]]
    ) -> list[Hypothesis]:
        found = [
            self._hypothesis(said, ctc, language)
            for said, (score, ctc, language) in zip(tokens, figures, strict=True)
            if score > -math.inf
        ]
        return found or [self._shortened(number, tokens[0])]

    def _hypothesis(self, tokens: Sequence[int], ctc: float, language: float) -> Hypothesis:
        log_probability, parts = ctc, {"ctc": ctc}
        if self._automaton is not None:
            log_probability, parts = ctc + self._config.language_weight * language, {"ctc": ctc, "ngram": language}
        score = log_probability + self._config.length_bonus * len(tokens)
        return Hypothesis(tuple(tokens), score, log_probability, parts)

    def _shortened(self, number: int, tokens: Sequence[int]) -> Hypothesis:
        """The longest beginning that may end, such as all words of a lexicon but one that was broken off."""
        assert self._automaton is not None or not tokens, "without a language model every prefix may end"
        heard = self._log_probs[number, : self._lengths[number]]
        ends = [0.0]
        if self._automaton is not None:
            ends = _sentence_log_probs(self._automaton, tokens, self._config.eos, heard.device)
        possible = [place for place, log_prob in enumerate(ends) if log_prob > -math.inf]
        if not possible:
            return Hypothesis((), -math.inf, -math.inf)
        kept = tokens[: possible[-1]]
        return self._hypothesis(kept, _ctc_log_probability(heard, kept, self._blank), ends[len(kept)])


def _sentence_log_probs(automaton: Automaton, tokens: Sequence[int], eos: int, device: torch.device) -> list[float]:
    """The log-probability of each beginning of `tokens` as a sentence, from none of them to all."""
    states, said, sentences = automaton.start(1, device), 0.0, list[float]()
    for place in range(len(tokens) + 1):
        (row,) = automaton.log_probs(states).double()
        sentences.append(said + float(row[eos]))
        if place < len(tokens):
            said += float(row[tokens[place]])
            states = automaton.advance(states, torch.tensor([tokens[place]], device=device))
    return sentences


def _ctc_log_probability(log_probs: Float[Tensor, "frame vocab"], tokens: Sequence[int], blank: int) -> float:
    """Of all alignments of `tokens`."""
    if not len(log_probs):
        return 0.0
    lengths = torch.tensor([len(log_probs)]), torch.tensor([len(tokens)])
    targets = torch.tensor([tokens], dtype=torch.long, device=log_probs.device)
    loss = torch.nn.functional.ctc_loss(log_probs[:, None], targets, *lengths, blank=blank, reduction="sum")
    return -float(loss)
