"""English speech with known phone times, by espeak-ng: a yardstick for aligners, as real speech has no such times.

The synthesiser tells at which sample each of its phones begins. Its voices are no human ones, so errors measured here
compare aligners; they are not those on recordings.
"""

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource
from lhotse.supervision import AlignmentItem

from sprachbund.data.phones import PHONE
from sprachbund.errors import DataError
from sprachbund.evaluation.spoken_sentences import SENTENCES
from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import SAMPLING_RATE, resample, write_audio
from sprachbund.tokens.phones import SILENCE

VOICES = ("en-us", "en-us+f3", "en", "en+m3")  # American and British, each by two speakers
RATES = (130, 160, 190)  # words a minute
# The phones of espeak's English voices, as ARPAbet. What stands for two phones at once keeps its name, and is no phone.
ARPABET = {
    "0": "AA", "A:": "AA", "a": "AE", "aa": "AE", "@": "AH", "@2": "AH", "a#": "AH", "V": "AH", "O2": "AO", "O:": "AO",
    "aU": "AW", "aI": "AY", "E": "EH", "3": "ER", "3:": "ER", "eI": "EY", "I": "IH", "I2": "IH", "I#": "IH", "i": "IY",
    "i:": "IY", "oU": "OW", "OI": "OY", "U": "UH", "u:": "UW", "b": "B", "tS": "CH", "d": "D", "D": "DH", "f": "F",
    "g": "G", "h": "HH", "dZ": "JH", "k": "K", "l": "L", "m": "M", "n": "N", "N": "NG", "p": "P", "r": "R", "r-": "R",
    "s": "S", "S": "SH", "t": "T", "t2": "T", "t#": "T", "T": "TH", "v": "V", "w": "W", "w#": "W", "j": "Y", "z": "Z",
    "Z": "ZH",
}  # fmt: skip
_MARKS = "',%="  # of stress, before a phone
# Of espeak-ng's C interface.
_SYNCHRONOUS, _PHONEME_EVENTS, _UTF8, _RATE = 2, 1, 1, 1
_LAST_EVENT, _PHONEME = 0, 7


@dataclass(frozen=True)
class Spoken:
    """What the synthesiser said."""

    waveform: Float[Array, " sample"]  # 16 kHz
    phones: tuple[AlignmentItem, ...]  # from beginning to end, silence included


def speak_sentences(folder: Path, sentences: Sequence[str] = SENTENCES, voices: Sequence[str] = VOICES) -> CutSet:
    """Recordings of sentences below `folder`, each by all voices at changing speeds, with their true phones in time.

    Raises:
        DataError: the package of espeak-ng is missing, or has no such voice.
    """
    cuts = []
    for number, text in enumerate(sentences):
        for place, voice in enumerate(voices):
            spoken = say(text, voice, RATES[(number + place) % len(RATES)])
            name = f"{number:03d}-{voice}"
            path = folder / f"{name}.wav"
            write_audio(path, spoken.waveform)
            seconds = len(spoken.waveform) / SAMPLING_RATE
            said = SupervisionSegment(
                name,
                name,
                0.0,
                seconds,
                text=text,
                language="en",
                speaker=voice,
                alignment={PHONE: list(spoken.phones)},
            )
            source = AudioSource("file", [0], str(path))
            recording = Recording(name, [source], SAMPLING_RATE, len(spoken.waveform), seconds)
            cuts.append(MonoCut(name, 0.0, seconds, 0, recording=recording, supervisions=[said]))
    return CutSet.from_cuts(cuts)


def say(text: str, voice: str, rate: int) -> Spoken:
    """`text` as espeak-ng says it.

    Args:
        text: English.
        voice: a name such as ``en-us``, perhaps with a variant (``en-us+f3``).
        rate: words a minute.

    Raises:
        DataError: the package of espeak-ng is missing, or has no such voice.
    """
    library, sampling_rate = _library()
    if library.espeak_SetVoiceByName(voice.encode()):
        raise DataError("espeak-ng has no such voice", given=voice, mend="Take for example en-us or en-us+f3.")
    library.espeak_SetParameter(_RATE, rate, 0)
    heard = _Heard()
    library.espeak_SetSynthCallback(heard.callback)
    content = text.encode()
    library.espeak_Synth(content, len(content) + 1, 0, 0, 0, _UTF8, None, None)
    samples = np.concatenate([np.zeros(0, np.int16), *heard.parts])
    waveform = resample(samples.astype(np.float32) / 32768, sampling_rate, SAMPLING_RATE)
    return Spoken(waveform, tuple(_phones(heard.phones, len(samples), sampling_rate)))


def _phones(starts: Sequence[tuple[int, str]], num_samples: int, sampling_rate: int) -> Iterator[AlignmentItem]:
    """Phones from their first samples; silences side by side are one."""
    merged = [(0, SILENCE)]
    for start, name in starts:
        bare = name.lstrip(_MARKS)
        symbol = SILENCE if bare.startswith("_") else ARPABET.get(bare, bare)
        if not merged[-1][1] == symbol == SILENCE:
            merged.append((start, symbol))
    for (start, symbol), (end, _) in pairwise([*merged, (num_samples, "")]):
        if end > start:
            first, last = round(start / sampling_rate, 8), round(end / sampling_rate, 8)
            yield AlignmentItem(symbol, first, round(last - first, 8))


class _Identity(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """An espeak_EVENT."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Identity),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class _Heard:
    """Takes what the library gives: parts of the sound, and the phones with their first samples."""

    def __init__(self) -> None:
        self.parts: list[Array] = []
        self.phones: list[tuple[int, str]] = []
        # Kept here, because the library does not keep it alive.
        self.callback = _Callback(self._take)

    def _take(self, samples: Any, num_samples: int, events: Any) -> int:
        if num_samples > 0:
            self.parts.append(np.ctypeslib.as_array(samples, (num_samples,)).copy())
        place = 0
        while events[place].type != _LAST_EVENT:
            if events[place].type == _PHONEME:
                self.phones.append((events[place].sample, events[place].id.string.decode()))
            place += 1
        return 0


@cache
def _library() -> tuple[Any, int]:
    """The library of this process, and its sampling rate."""
    try:
        import espeakng_loader
    except ImportError:
        raise DataError(
            "nothing can be said, because the package espeakng_loader is missing",
            mend="Install it with: pip install 'sprachbund[espeak]'",
        ) from None
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Synth.argtypes = (
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p,
        ctypes.c_void_p,
    )  # fmt: skip
    sampling_rate = library.espeak_Initialize(
        _SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), _PHONEME_EVENTS
    )
    return library, int(sampling_rate)
