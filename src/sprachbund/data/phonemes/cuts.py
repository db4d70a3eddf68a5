"""Transcripts of speech as phones: a manifest to train a recogniser of phones on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from lhotse import CutSet
from lhotse.cut import Cut
from lhotse.utils import fastcopy

from sprachbund.data.phonemes.reading import Read, Reading
from sprachbund.data.progress import watched
from sprachbund.data.text.blocks import Rejected
from sprachbund.data.text.fields import IdsField
from sprachbund.data.workers import in_processes
from sprachbund.tokens.symbols import SymbolTokenizer
from sprachbund.tokens.vocabulary import ADDED_SYMBOLS, Vocabulary

NO_TRANSCRIPT = "without a transcript"
OTHER_LANGUAGE = "of another language"


@dataclass(frozen=True)
class PhonemizedCuts:
    """Cuts whose transcripts are phones, and those that are none of them."""

    cuts: CutSet
    rejected: tuple[tuple[str, Rejected], ...]  # ids of cuts, and why

    def counts(self) -> Counter[str]:
        """Cuts that are left out, by reason."""
        return Counter(rejected.reason for _, rejected in self.rejected)


def phonemize_cuts(cuts: CutSet, reading: Reading, *, jobs: int = 1) -> PhonemizedCuts:
    """The same cuts, their transcripts replaced by phones parted by spaces; there is no silence in them.

    A cut with a transcript that cannot be read is left out.

    Args:
        cuts: with transcripts.
        reading: of their language.
        jobs: processes; their number changes nothing but the time.
    """
    done = list(in_processes(partial(_phonemized, reading), watched(cuts, "Reading transcripts"), jobs))
    kept = [cut for cut in done if not isinstance(cut, tuple)]
    return PhonemizedCuts(CutSet.from_cuts(kept), tuple(each for each in done if isinstance(each, tuple)))


def phone_tokenizer(reading: Reading, cuts: CutSet) -> SymbolTokenizer:
    """The tokenizer of phones as transcripts, with the mask and the CTC blank.

    Args:
        reading: that made the transcripts.
        cuts: whose symbols are taken where the reading does not know all of its own.
    """
    field = reading.field()
    known = field.vocabulary if isinstance(field, IdsField) else None
    if known is None:
        texts = (said.text or "" for cut in cuts for said in cut.supervisions)
        known = Vocabulary(sorted({symbol for text in texts for symbol in text.split()}))
    return SymbolTokenizer(known.with_symbols(*ADDED_SYMBOLS))


def _phonemized(reading: Reading, cut: Cut) -> Cut | tuple[str, Rejected]:
    if not any(said.text for said in cut.supervisions):
        return cut.id, Rejected(NO_TRANSCRIPT)
    others = [said.language for said in cut.supervisions if said.language and not reading.understands(said.language)]
    if others:
        return cut.id, Rejected(OTHER_LANGUAGE, others[0])
    read = _started(reading)([said.text or "" for said in cut.supervisions])
    if wrong := next((answer for answer in read if isinstance(answer, Rejected)), None):
        return cut.id, wrong
    texts = [_text(words) for words in read if not isinstance(words, Rejected)]
    spoken = [fastcopy(said, text=text) for said, text in zip(cut.supervisions, texts, strict=True)]
    return fastcopy(cut, supervisions=spoken)


def _text(words: Sequence[Sequence[str]]) -> str:
    return " ".join(phone for word in words for phone in word)


@lru_cache(maxsize=1)
def _started(reading: Reading) -> Read:
    return reading.start()
