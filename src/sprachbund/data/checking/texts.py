"""Texts, of transcripts and of text streams: empty, over-long, misread, unknown characters, held out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sprachbund.data.checking.problems import Fault
from sprachbund.tokens.normalize import fold_to_ascii, normalize_text
from sprachbund.tokens.text import TextTokenizer
from sprachbund.tokens.vocabulary import UNK

EXCERPT = 60  # characters of a text that are shown


class Alphabet:
    """The characters that a tokenizer knows, asked once each."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: set[str] = set()
        self._unknown: set[str] = set()

    def unknown(self, text: str) -> list[str]:
        """The characters of `text` that become ``<unk>``, sorted."""
        characters = set(text)
        for character in characters - self._known - self._unknown:
            is_unknown = UNK in self._tokenizer.encode(character)
            (self._unknown if is_unknown else self._known).add(character)
        return sorted(characters & self._unknown)


@dataclass(frozen=True, kw_only=True)
class TextRules:
    """What texts have to keep to."""

    max_characters: int | None = None
    alphabet: Alphabet | None = None
    held_out: frozenset[str] = field(default_factory=frozenset)  # what `comparable` gives for each

    def judge(self, text: str) -> Iterator[Fault]:
        """The faults of a text."""
        normalized = normalize_text(text)
        if not normalized:
            yield Fault("empty-text", excerpt(text))
            return
        if is_misread(text):
            yield Fault("wrong-encoding", excerpt(text))
        if self.max_characters is not None and len(text) > self.max_characters:
            yield Fault("long-text", f"{len(text)} characters: {excerpt(text)}")
        if self.alphabet is not None and (unknown := self.alphabet.unknown(text)):
            yield Fault("unknown-characters", f"{' '.join(map(repr, unknown[:20]))} in {excerpt(text)}")
        if normalized in self.held_out or (
            not normalized.isascii() and fold_to_ascii(normalized) in self.held_out  # slow, and rarely needed
        ):
            yield Fault("held-out-text", excerpt(text))


def comparable(texts: Iterable[str]) -> frozenset[str]:
    """Normalised texts, with and without accents: two texts are the same where they share one."""
    normalized = {normalize_text(text) for text in texts}
    return frozenset((normalized | {fold_to_ascii(text) for text in normalized}) - {""})


def count_words(text: str) -> int:
    """Words of the normalised text."""
    return len(normalize_text(text).split())


def is_misread(text: str) -> bool:
    """Whether bytes were lost, UTF-16 was read as UTF-8, or UTF-8 as Latin-1 or Windows-1252, as in "grÃ¼n"."""
    if "\0" in text or "\ufffd" in text:
        return True
    if text.isascii():
        return False
    for encoding in ("cp1252", "latin-1"):
        try:
            text.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
        return True
    return False


def excerpt(text: str) -> str:
    """The beginning of a text, as it is shown."""
    return repr(text if len(text) <= EXCERPT else text[:EXCERPT] + "…")
