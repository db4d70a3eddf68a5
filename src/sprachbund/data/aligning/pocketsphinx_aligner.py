"""The aligner that needs no training: English words and phones in time by PocketSphinx, in steps of 10 ms."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from importlib.metadata import version

from lhotse.cut import Cut
from lhotse.supervision import AlignmentItem

from sprachbund.data.aligning import sphinx_decoder
from sprachbund.data.aligning.results import Finding, Outcome, Tiers
from sprachbund.data.aligning.sphinx_decoder import ForcedPath, FoundPhone, align_words, decode_phones, knows
from sprachbund.data.aligning.words import spoken_words
from sprachbund.data.phones import PHONE, WORD
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.data.workers import in_processes
from sprachbund.errors import RecipeError, SprachbundError
from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.lexicon import Lexicon, load_lexicon
from sprachbund.tokens.phones import with_places
from sprachbund.tokens.pronunciation import FingerprintedGuess, Pronouncer, Pronunciation, Source

FRAME_SHIFT = 0.01  # seconds
# Below this score a recording may not say its transcript (docs/phonemes.md tells how it was found).
DOUBTFUL_SCORE = -3.5
LONGEST_DETAIL = 100  # characters


@dataclass(frozen=True)
class PocketSphinxAligner:
    """PocketSphinx with the model and the dictionary of its package.

    Args:
        guess: phones of words that the dictionary lacks.
        has_places: phones are named with their place in the word.
        is_decoding: where there is no transcript, phones are decoded.
    """

    guess: FingerprintedGuess
    has_places: bool = False
    is_decoding: bool = False

    def __post_init__(self) -> None:
        sphinx_decoder.require_pocketsphinx()
        if self.has_places and self.is_decoding:
            raise RecipeError("decoded phones have no place in a word", mend="Leave out --word-positions or --decode.")

    @cached_property
    def pronouncer(self) -> Pronouncer:
        """Of the words that the package's dictionary lacks; inflected ones are made of those it has."""
        return Pronouncer(_lexicon(), self.guess)

    @cached_property
    def fingerprint(self) -> str:
        """Of program, model, settings and dictionary."""
        settings = [
            "pocketsphinx",
            version("pocketsphinx"),
            sphinx_decoder.BEAM,
            sphinx_decoder.PAUSE,
            self.pronouncer.lexicon.fingerprint,
            self.guess.fingerprint,
            self.has_places,
            sphinx_decoder.DECODING if self.is_decoding else None,
        ]
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()

    def find(self, cuts: Sequence[Cut], jobs: int) -> Iterator[tuple[Finding, ...]]:
        """A finding for each supervision of each cut."""
        spoken = [[spoken_words(said) for said in cut.supervisions] for cut in cuts]
        words = {word for said in spoken for part in said if not isinstance(part, Outcome) for word in part}
        unknown = self.pronouncer.pronounce(sorted(word for word in words if not knows(word)))
        tasks = (_task(cut, said, unknown) for cut, said in zip(cuts, spoken, strict=True))
        return in_processes(partial(_find, self.has_places, self.is_decoding), tasks, jobs)


@cache
def _lexicon() -> Lexicon:
    return load_lexicon("pocketsphinx")


@dataclass(frozen=True)
class _Task:
    """A cut, the words of each of its supervisions, and how those are said that the dictionary lacks."""

    cut: Cut
    spoken: tuple[tuple[str, ...] | Outcome, ...]
    readings: dict[str, Pronunciation]

    @cached_property
    def waveform(self) -> Float[Array, " sample"]:
        """All of the cut."""
        return read_waveform(self.cut)

    def part(self, start: float, end: float) -> Float[Array, " sample"]:
        """The sound between two times; none where the second is the earlier one."""
        return self.waveform[round(start * SAMPLING_RATE) : max(0, round(end * SAMPLING_RATE))]


def _task(cut: Cut, spoken: Sequence[list[str] | Outcome], unknown: Mapping[str, Pronunciation]) -> _Task:
    parts = tuple(said if isinstance(said, Outcome) else tuple(said) for said in spoken)
    words = {word for said in parts if not isinstance(said, Outcome) for word in said}
    return _Task(cut, parts, {word: unknown[word] for word in sorted(words & unknown.keys())})


def _find(has_places: bool, is_decoding: bool, task: _Task) -> tuple[Finding, ...]:
    """What is found out about one cut; it depends on this cut alone."""
    places = [(said.start, said.end) for said in task.cut.supervisions] or [(0.0, float(task.cut.duration))]
    findings = []
    for said, (start, end) in zip(task.spoken or (Outcome.NO_TRANSCRIPT,), places, strict=True):
        place = max(0.0, start), min(float(task.cut.duration), end)
        try:
            if not isinstance(said, Outcome):
                findings.append(_align(task, said, place, has_places))
            elif said is Outcome.NO_TRANSCRIPT and is_decoding:
                findings.append(_decode(task, place))
            else:
                findings.append(Finding(said))
        except SprachbundError as error:
            # One recording that cannot be read does not stop the others.
            findings.append(Finding(Outcome.UNREADABLE, detail=str(error)))
    return tuple(findings)


def _align(task: _Task, words: tuple[str, ...], place: tuple[float, float], has_places: bool) -> Finding:
    readings = {word: task.readings[word] for word in words if word in task.readings}
    if unreadable := [word for word, reading in readings.items() if reading.source is Source.NONE]:
        return Finding(Outcome.NOT_ENGLISH, detail=f"no phones for {unreadable[0]}")
    guessed = tuple(word for word in words if word in readings and readings[word].source is Source.GUESSED)
    if len(guessed) == len(words):
        return Finding(Outcome.NO_KNOWN_WORD, detail=" ".join(words)[:LONGEST_DETAIL], guessed_words=guessed)
    path = align_words(words, {word: reading.phones for word, reading in readings.items()}, task.part(*place))
    if path is None:
        detail = f"{place[1] - place[0]:.2f} s for {len(words)} words"
        return Finding(Outcome.NOT_ALIGNABLE, detail=detail, guessed_words=guessed)
    return Finding(Outcome.ALIGNED, _tiers(path, place, has_places), round(path.score, 4), guessed_words=guessed)


def _decode(task: _Task, place: tuple[float, float]) -> Finding:
    phones = decode_phones(task.part(*place))
    if not phones:
        return Finding(Outcome.NO_TRANSCRIPT, detail="too short to decode phones")
    return Finding(Outcome.DECODED, {PHONE: _timed([(phone.symbol, phone) for phone in phones], place)})


def _tiers(path: ForcedPath, place: tuple[float, float], has_places: bool) -> Tiers:
    words, phones = [], []
    for word in path.words:
        symbols = [phone.symbol for phone in word.phones]
        named = with_places(symbols) if has_places and word.name else symbols
        phones += list(zip(named, word.phones, strict=True))
        if word.name:
            first, last = word.phones[0], word.phones[-1]
            whole = FoundPhone(word.name, first.start, last.start + last.length - first.start)
            words.append((word.name, whole))
    return {WORD: _timed(words, place), PHONE: _timed(phones, place)}


def _timed(found: Sequence[tuple[str, FoundPhone]], place: tuple[float, float]) -> tuple[AlignmentItem, ...]:
    """Items in seconds.

    A frame of the aligner is heard around 12.8 ms after its start, as its window is 25.6 ms: a boundary before frame n
    is at 10 n + 7.8 ms, which is n + 1 steps. The first frame takes the step before it as well.
    """
    items = []
    for symbol, phone in found:
        first = phone.start + 1 if phone.start else 0
        start = place[0] + first * FRAME_SHIFT
        # The last frame reaches over the end of a sound that is shorter than its window.
        end = min(place[0] + (phone.start + phone.length + 1) * FRAME_SHIFT, place[1])
        items.append(AlignmentItem(symbol, round(start, 8), round(max(0.0, end - start), 8)))
    return tuple(items)
