"""An off-the-shelf recogniser to compare with: PocketSphinx with the models of its own package, American English.

Its words are normalised as references are, and nothing is fitted to what is to be heard.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lhotse.cut import Cut

from sprachbund.data.aligning.sphinx_decoder import recognize_words, require_pocketsphinx
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.data.workers import in_processes
from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import read_audio
from sprachbund.tokens.normalize import normalize_text


def transcribe_waveform(waveform: Float[Array, " sample"]) -> str:
    """The text of a waveform at 16 kHz; the empty text where nothing is heard.

    Raises:
        DataError: PocketSphinx is not installed.
    """
    return normalize_text(" ".join(recognize_words(waveform)))


def transcribe_cuts(cuts: Sequence[Cut], jobs: int = 1) -> Iterator[str]:
    """The texts of cuts, in their order, by `jobs` processes; each depends on its own recording alone.

    Raises:
        DataError: PocketSphinx is not installed, or a cut has no recording.
        AudioError: a recording cannot be read.
    """
    require_pocketsphinx()
    return in_processes(_transcribe_cut, cuts, jobs)


def transcribe_files(paths: Sequence[Path], jobs: int = 1) -> Iterator[str]:
    """The texts of recordings, as `transcribe_cuts`.

    Raises:
        DataError: PocketSphinx is not installed.
        AudioError: a recording cannot be read.
    """
    require_pocketsphinx()
    return in_processes(_transcribe_file, paths, jobs)


def _transcribe_cut(cut: Cut) -> str:
    return transcribe_waveform(read_waveform(cut))


def _transcribe_file(path: Path) -> str:
    return transcribe_waveform(read_audio(path))
