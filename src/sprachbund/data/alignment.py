"""Forced alignment of English speech with its transcript: where each word and each phone is, in steps of 10 ms.

The aligner is PocketSphinx with the acoustic model and the dictionary of its own package. It finds the words first and
then the phones inside them. Both are kept on the supervisions, as Lhotse keeps them.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np
from lhotse import CutSet, MonoCut, SupervisionSegment
from lhotse.cut import Cut
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy

from sprachbund.data.phones import ALIGNMENT_START, PHONE, SILENCE, WORD
from sprachbund.data.progress import watched
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.data.workers import in_processes
from sprachbund.errors import DataError
from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.letter_to_sound import ending_of, phones_of_letters
from sprachbund.tokens.normalize import normalize_text, spell_numbers

FRAME_SHIFT = 0.01  # seconds
BEAM = 1e-100  # wide: the text is known, so there is little to search
PAUSE = 0.5  # probability of a pause between two words; the aligner's own 0.005 spreads words over silence
POSSESSIVE = "'s"


class Outcome(StrEnum):
    """What became of a transcript."""

    ALIGNED = "aligned"
    NO_TRANSCRIPT = "without a transcript"
    NOT_ENGLISH = "not English"
    NOT_ALIGNABLE = "not alignable"


class Source(StrEnum):
    """Where the phones of a word come from."""

    DICTIONARY = "dictionary"
    LETTERS = "letters"


@dataclass(frozen=True)
class Aligned:
    """A cut after its alignment."""

    cut: Cut
    outcomes: tuple[Outcome, ...]  # one a supervision; of a cut without any: no transcript
    guessed_words: tuple[str, ...]  # words whose phones were read off their letters


@dataclass(frozen=True)
class Alignments:
    """All cuts after their alignment."""

    cuts: CutSet
    outcomes: Counter[Outcome]  # of transcripts
    guessed_words: Counter[str]


def align_cuts(cuts: CutSet, *, jobs: int = 1) -> Alignments:
    """The same cuts, with words and phones in time wherever a transcript could be aligned.

    Args:
        cuts: recordings with English transcripts.
        jobs: processes; their number changes nothing but the time.

    Raises:
        DataError: PocketSphinx is not installed, or a cut has no recording of its own.
        AudioError: a recording that cannot be read.
    """
    _decoder()
    aligned = list(in_processes(align_cut, watched(cuts, "Aligning"), jobs))
    return Alignments(
        CutSet.from_cuts([one.cut for one in aligned]),
        Counter(outcome for one in aligned for outcome in one.outcomes),
        Counter(word for one in aligned for word in one.guessed_words),
    )


def align_cut(cut: Cut) -> Aligned:
    """Align all transcripts of one cut; the result depends on this cut alone.

    Raises:
        DataError: PocketSphinx is not installed, or the cut has no recording of its own.
        AudioError: a recording that cannot be read.
    """
    if not isinstance(cut, MonoCut):
        raise DataError(
            "a cut has no recording in one file, which an alignment could belong to",
            where=f"cut {cut.id}",
            given=type(cut).__name__,
            mend="Save mixed and padded cuts as audio files first.",
        )
    if not cut.supervisions:
        return Aligned(cut, (Outcome.NO_TRANSCRIPT,), ())
    waveform = read_waveform(cut)
    done = [_align_supervision(said, waveform) for said in cut.supervisions]
    supervisions = [said for said, _, _ in done]
    guessed = tuple(word for _, _, words in done for word in words)
    return Aligned(fastcopy(cut, supervisions=supervisions), tuple(outcome for _, outcome, _ in done), guessed)


def _align_supervision(
    said: SupervisionSegment, waveform: Float[Array, " sample"]
) -> tuple[SupervisionSegment, Outcome, list[str]]:
    """A supervision with its alignment, what became of it, and the words whose phones were guessed."""
    if said.language and said.language.partition("-")[0].lower() not in ("en", "eng", "english"):
        return said, Outcome.NOT_ENGLISH, []
    words = normalize_text(spell_numbers(said.text or "")).split()
    if not words:
        return said, Outcome.NO_TRANSCRIPT, []
    sources = {word: _source_of(word) for word in words}
    if None in sources.values():
        return said, Outcome.NOT_ENGLISH, []
    guessed = [word for word in words if sources[word] is Source.LETTERS]
    start = max(0.0, said.start)
    first, last = round(start * SAMPLING_RATE), round(said.end * SAMPLING_RATE)
    tiers = _align(words, waveform[first:last], start)
    if tiers is None:
        return said, Outcome.NOT_ALIGNABLE, guessed
    custom = {**(said.custom or {}), ALIGNMENT_START: said.start}
    aligned = fastcopy(said, alignment={**(said.alignment or {}), **tiers}, custom=custom)
    return aligned, Outcome.ALIGNED, guessed


def _align(
    words: Iterable[str], waveform: Float[Array, " sample"], offset: float
) -> dict[str, list[AlignmentItem]] | None:
    """The tiers of words and phones, `offset` seconds later than in `waveform`; None where the text does not fit."""
    decoder = _decoder()
    samples = (waveform.clip(-1, 1) * np.iinfo(np.int16).max).astype("<i2").tobytes()
    try:
        decoder.set_align_text(" ".join(words))
        _listen(decoder, samples)
        if decoder.hyp() is None:
            return None
        decoder.set_alignment()
        _listen(decoder, samples)
        found = [
            (word.name, word.start, word.duration, [(phone.name, phone.start, phone.duration) for phone in word])
            for word in decoder.get_alignment()
        ]
    except RuntimeError:
        # All that PocketSphinx says where the speech is too short or too unlike the text.
        return None
    phones = [phone for _, _, _, inside in found for phone in inside]
    spoken = [(_plain(name), start, length) for name, start, length, _ in found if not name.startswith(("<", "["))]
    return {
        WORD: [_timed(name, start, length, offset) for name, start, length in spoken],
        PHONE: [_timed(_phone(name), start, length, offset) for name, start, length in phones],
    }


def _listen(decoder: Any, samples: bytes) -> None:
    # The removal of noise would remember earlier recordings.
    decoder.reinit_feat()
    decoder.start_utt()
    try:
        decoder.process_raw(samples, full_utt=True)
    finally:
        decoder.end_utt()


def _timed(symbol: str, start: int, length: int, offset: float) -> AlignmentItem:
    """An item in seconds.

    A frame of the aligner is heard around 12.8 ms after its start, as its window is 25.6 ms: a boundary before frame n
    is at 10 n + 7.8 ms, which is n + 1 steps. The first frame takes the step before it as well.
    """
    first = start + 1 if start else 0
    end = start + length + 1
    return AlignmentItem(symbol, round(offset + first * FRAME_SHIFT, 8), round((end - first) * FRAME_SHIFT, 8))


def _plain(name: str) -> str:
    """A word without the number of its pronunciation: ``want(2)`` -> ``want``."""
    return name.partition("(")[0]


def _phone(name: str) -> str:
    """Noises are no speech."""
    return SILENCE if name.startswith("+") else name


@cache
def _source_of(word: str) -> Source | None:
    """Where the phones of `word` come from; the aligner knows the word after this. None where it has no letters."""
    decoder = _decoder()
    if decoder.lookup_word(word) is not None:
        return Source.DICTIONARY
    stem = word.removesuffix(POSSESSIVE)
    known = decoder.lookup_word(stem) if stem != word else None
    phones = known.split() if known else phones_of_letters(stem)
    if not phones:
        return None
    ending = ending_of(phones[-1]) if stem != word else ()
    decoder.add_word(word, " ".join((*phones, *ending)), False)
    return Source.LETTERS


@cache
def _decoder() -> Any:
    """The aligner of this process."""
    try:
        from pocketsphinx import Decoder
    except ImportError:
        raise DataError(
            "speech cannot be aligned, because the package pocketsphinx is missing",
            mend="Install it with: pip install 'sprachbund[alignment]'",
        ) from None
    # Without a lattice of the best path, which may give a phone fewer frames than it has states.
    return Decoder(
        lm=None,
        samprate=SAMPLING_RATE,
        bestpath=False,
        silprob=PAUSE,
        loglevel="FATAL",
        beam=BEAM,
        pbeam=BEAM,
        wbeam=BEAM,
    )
