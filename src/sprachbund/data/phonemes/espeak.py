"""How lines of many languages become phones: by espeak-ng, whose symbols are those of the IPA."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from typing import Any

from sprachbund.data.phonemes.reading import NO_WORD, PHONES_FIELD, Read
from sprachbund.data.text.blocks import Rejected
from sprachbund.data.text.fields import Field, TextField
from sprachbund.data.text.store import LineStore
from sprachbund.data.text.writer import Value
from sprachbund.errors import DataError
from sprachbund.tokens.lexicon import Phones
from sprachbund.tokens.normalize import normalize_text
from sprachbund.tokens.phones import with_places
from sprachbund.tokens.symbols import SymbolTokenizer
from sprachbund.tokens.vocabulary import ADDED_SYMBOLS, Vocabulary

NO_SOUND = "without a sound"
TOKENIZER = "tokenizer"  # folder in a store
_WORD_END = "|"


@dataclass(frozen=True, kw_only=True)
class EspeakReading:
    """A language by the rules of espeak-ng, which spells numbers itself; stress is left out.

    Which symbols there are shows only when all is read. So a store holds them as text, parted by spaces.
    """

    language: str
    word_places: bool = False

    def __post_init__(self) -> None:
        if self.language not in supported_languages():
            raise DataError(
                "espeak-ng does not know this language", given=self.language, mend=_near_languages(self.language)
            )

    def field(self) -> Field:
        """See `Reading.field`."""
        return TextField()

    def value(self, phones: Sequence[str]) -> Value:
        """See `Reading.value`."""
        return " ".join(phones)

    def settings(self) -> Mapping[str, Any]:
        """See `Reading.settings`."""
        # The package of the library and not the library, which does not tell its build.
        made_by = f"espeak-ng of espeakng_loader {version('espeakng_loader')}, phonemizer {version('phonemizer')}"
        return {"reader": made_by, "language": self.language, "word_places": self.word_places}

    def understands(self, language: str) -> bool:
        """See `Reading.understands`."""
        codes = {self.language, self.language.partition("-")[0], supported_languages()[self.language].lower()}
        return language.lower() in codes or language.partition("-")[0].lower() in codes

    def start(self) -> Read:
        """See `Reading.start`."""
        return partial(_read, self)

    def finish(self, store: LineStore) -> list[str]:
        """See `Reading.finish`: collect the symbols for a tokenizer in the folder of the store."""
        texts = (store.text(PHONES_FIELD, number) for number in range(len(store)))
        symbols = {symbol for text in texts for symbol in text.split()}
        SymbolTokenizer(Vocabulary(sorted(symbols)).with_symbols(*ADDED_SYMBOLS)).save(store.folder / TOKENIZER)
        return [f"{len(symbols)} symbols in {store.folder / TOKENIZER}"]


@cache
def supported_languages() -> dict[str, str]:
    """Codes of languages, such as ``de`` or ``en-us``, and their names.

    Raises:
        DataError: the packages of the extra are not installed.
    """
    found: dict[str, str] = _espeak().supported_languages()
    return found


def _near_languages(language: str) -> str:
    """A sentence that names languages which are called or coded alike, or all codes."""
    codes = supported_languages()
    by_name = {name.lower(): code for code, name in codes.items()} | {code: code for code in codes}
    near = difflib.get_close_matches(language.lower(), by_name, n=5, cutoff=0.5)
    found = dict.fromkeys(by_name[name] for name in near)
    listed = ", ".join(f"{code} ({codes[code]})" for code in found) or ", ".join(sorted(codes))
    return f"{'Near it are' if found else 'Known are'}: {listed}."


def _read(reading: EspeakReading, texts: Sequence[str]) -> list[list[Phones] | Rejected]:
    lines = [normalize_text(text) for text in texts]
    # A line without a word would be left out of the answer.
    said = iter(_backend(reading.language).phonemize([line for line in lines if line], _separator(), strip=True))
    return [_phones_of(next(said), reading.word_places) if line else Rejected(NO_WORD) for line in lines]


def _phones_of(said: str, word_places: bool) -> list[Phones] | Rejected:
    """The words of a line that espeak-ng wrote as ``h a | t ə``."""
    words = [tuple(word.split()) for word in said.split(_WORD_END) if word.strip()]
    if not words:
        return Rejected(NO_SOUND)
    return [with_places(word) for word in words] if word_places else words


@cache
def _backend(language: str) -> Any:
    """The reader of a language in this process."""
    # Words in a foreign script are read in their own language; the mark of the switch is no sound.
    return _espeak()(language, with_stress=False, language_switch="remove-flags", words_mismatch="ignore")


@cache
def _separator() -> Any:
    from phonemizer.separator import Separator

    return Separator(phone=" ", word=_WORD_END, syllable="")


@cache
def _espeak() -> Any:
    """The class of readers, with the library and the data of the package."""
    try:
        import espeakng_loader
        from phonemizer.backend import EspeakBackend
        from phonemizer.backend.espeak.wrapper import EspeakWrapper
    except ImportError:
        raise DataError(
            "other languages cannot be read, because the package phonemizer or espeakng_loader is missing",
            mend="Install them with: pip install 'sprachbund[espeak]'",
        ) from None
    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    return EspeakBackend
