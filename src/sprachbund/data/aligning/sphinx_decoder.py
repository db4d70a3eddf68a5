"""PocketSphinx with the acoustic model of its own package: a stretch of sound aligned, or decoded to phones or words.

The aligner finds the words first and then the phones inside them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from sprachbund.errors import DataError
from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.lexicon import Phones
from sprachbund.tokens.phones import SILENCE

BEAM = 1e-100  # wide: the text is known, so there is little to search
PAUSE = 0.5  # probability of a pause between two words; the aligner's own 0.005 spreads words over silence
# A step of a score: PocketSphinx counts in logarithms to base 1.0001, shifted by ten bits.
NATS = 1024 * float(np.log(1.0001))
# Phone decoding, by phone error rate on Steel Sky dev: weight of the phone trigrams, price of a phone, search.
DECODING = {"lw": 2.0, "pip": 0.3, "beam": 1e-20, "pbeam": 1e-20}


@dataclass(frozen=True)
class FoundPhone:
    """A phone or a silence in frames of 10 ms."""

    symbol: str
    start: int
    length: int


@dataclass(frozen=True)
class FoundWord:
    """A word with its phones; silence between words is one without a name."""

    name: str
    phones: tuple[FoundPhone, ...]


@dataclass(frozen=True)
class ForcedPath:
    """The words of a text, in time."""

    words: tuple[FoundWord, ...]
    score: float  # nats a frame


def align_words(
    words: Sequence[str], readings: Mapping[str, tuple[Phones, ...]], waveform: Float[Array, " sample"]
) -> ForcedPath | None:
    """Where `words` are in `waveform`; None where they do not fit.

    The score says how much less likely the frames are, in their phones, than in the best phones that the text has
    anywhere: 0 at best. It is the mean over all frames or over those of words, whichever is lower, so that neither
    words without sound nor sound without words can hide.

    Args:
        words: normalised, each of them in the dictionary or in `readings`.
        readings: pronunciations of words that the dictionary lacks.
        waveform: 16 kHz.
    """
    if not len(waveform):
        return None
    decoder = _taught(readings)
    samples = _samples(waveform)
    try:
        decoder.set_align_text(" ".join(words))
        _listen(decoder, samples)
        if decoder.hyp() is None:
            return None
        decoder.set_alignment()
        _listen(decoder, samples)
        found = [
            (word.name, [(phone.name, phone.start, phone.duration, phone.score) for phone in word])
            for word in decoder.get_alignment()
        ]
    except RuntimeError:
        # All that PocketSphinx says where the speech is too short or too unlike the text.
        return None
    parted = [
        FoundWord(_plain(name), tuple(FoundPhone(_phone(symbol), *when) for symbol, *when, _ in phones))
        for name, phones in found
    ]
    scores = [(bool(_plain(name)), length, score) for name, phones in found for _, _, length, score in phones]
    return ForcedPath(tuple(parted), min(_mean(scores), _mean([one for one in scores if one[0]])))


def decode_phones(waveform: Float[Array, " sample"]) -> tuple[FoundPhone, ...]:
    """The likeliest phones of `waveform`, whatever words they make; none where it is too short."""
    if not len(waveform):
        return ()
    decoder = _free_decoder()
    _listen(decoder, _samples(waveform))
    return tuple(
        FoundPhone(_phone(part.word), part.start_frame, part.end_frame + 1 - part.start_frame)
        for part in decoder.seg() or ()
    )


def recognize_words(waveform: Float[Array, " sample"]) -> tuple[str, ...]:
    """The words of the dictionary that the package's own language model hears in `waveform`; none where there are none.

    Silence, noises and the numbers of pronunciations are left out.
    """
    # Of digital silence it would hear words: the logarithm of no energy is unlike any pause it has learned.
    if not waveform.any():
        return ()
    decoder = _dictation()
    _listen(decoder, _samples(waveform))
    named = (_plain(part.word) for part in decoder.seg() or ())
    return tuple(name for name in named if name)


def knows(word: str) -> bool:
    """Whether the dictionary of the package has `word`."""
    return _state().decoder.lookup_word(word) is not None and word not in _state().taught


@dataclass
class _State:
    """The aligner of this process, and what it was taught."""

    decoder: Any
    taught: dict[str, tuple[Phones, ...]]


def _taught(readings: Mapping[str, tuple[Phones, ...]]) -> Any:
    """The aligner of this process, that knows `readings`."""
    if any(_state().taught.get(word, ways) != ways for word, ways in readings.items()):
        _state.cache_clear()  # a word cannot be unlearned
    state = _state()
    for word, ways in readings.items():
        if word not in state.taught:
            state.taught[word] = ways
            for number, phones in enumerate(ways, start=1):
                name = word if number == 1 else f"{word}({number})"
                state.decoder.add_word(name, " ".join(phones), False)
    return state.decoder


@cache
def _state() -> _State:
    # Without a lattice of the best path, which may give a phone fewer frames than it has states.
    decoder = _made(lm=None, bestpath=False, silprob=PAUSE, beam=BEAM, pbeam=BEAM, wbeam=BEAM)
    return _State(decoder, {})


@cache
def _free_decoder() -> Any:
    require_pocketsphinx()
    from pocketsphinx import get_model_path

    return _made(lm=None, allphone=get_model_path("en-us/en-us-phone.lm.bin"), bestpath=False, **DECODING)


@cache
def _dictation() -> Any:
    return _made()


def _made(**settings: Any) -> Any:
    require_pocketsphinx()
    from pocketsphinx import Decoder

    return Decoder(samprate=SAMPLING_RATE, loglevel="FATAL", **settings)


def require_pocketsphinx() -> None:
    """Raise DataError where the package is not installed."""
    try:
        import pocketsphinx  # noqa: F401
    except ImportError:
        raise DataError(
            "speech cannot be aligned, because the package pocketsphinx is missing",
            mend="Install it with: pip install 'sprachbund[alignment]'",
        ) from None


def _listen(decoder: Any, samples: bytes) -> None:
    # The removal of noise would remember earlier recordings.
    decoder.reinit_feat()
    decoder.start_utt()
    try:
        decoder.process_raw(samples, full_utt=True)
    finally:
        decoder.end_utt()


def _samples(waveform: Float[Array, " sample"]) -> bytes:
    return (waveform.clip(-1, 1) * np.iinfo(np.int16).max).astype("<i2").tobytes()


def _mean(scores: Sequence[tuple[bool, int, int]]) -> float:
    """Nats a frame."""
    return NATS * sum(score for _, _, score in scores) / max(1, sum(length for _, length, _ in scores))


def _plain(name: str) -> str:
    """A word without the number of its pronunciation (``want(2)`` -> ``want``); empty for silence and noise."""
    return "" if name.startswith(("<", "[")) else name.partition("(")[0]


def _phone(name: str) -> str:
    """Noises are no speech."""
    return SILENCE if name.startswith("+") else name
