"""gcide: the definitions and quotations of a large dictionary of English, a text stream for pre-training."""

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from sprachbund.data.corpora.layout import Origin
from sprachbund.data.corpora.package_cache import fetch_packages
from sprachbund.data.corpora.packages import GCIDE
from sprachbund.data.corpora.sentences import split_sentences
from sprachbund.data.corpora.text_corpus import Text, text_corpus
from sprachbund.errors import CorpusError

NAME = "gcide"
LICENCE = "GPL-2 or later"
ATTRIBUTION = (
    "The Collaborative International Dictionary of English, derived from Webster's Revised Unabridged Dictionary "
    "(1913) and WordNet, edited by Patrick Cassidy."
)
SHORTEST = 3  # words; what is less is no sentence but a label

_DICTIONARY = "usr/share/dictd/gcide.dict.dz"
_INDEX = "usr/share/dictd/gcide.index"
_HEADWORD = re.compile(r"\S[^\n\\]*\\[^\n]*")  # its pronunciation stands between backslashes
_SENSE = re.compile(r"\s*(?:\d+\.|\([a-z]\))\s")
# A letter with its accent beside it, or a ligature, in brackets.
_ACCENTED = re.compile(r"\[(?:([ao]e)|['`^\"~,:=.*-]([A-Za-z])|([A-Za-z])['`^\"~,:=*-])\]")
_BRACKETED = re.compile(r"\[[^\[\]]*\]|\((?:[A-Z][\w&.]*\.[\s,;]*)+\)")
_AUTHOR = re.compile(r"\s*--\s*\(?[A-Z][^-]*$")
_LABEL = re.compile(r"(?:Note|Syn|Usage): ")
# The pronunciation, or the field of knowledge, in front of a sense.
_ASIDE = re.compile(r"\([^()]*\)[,;\s]*")
_GRAMMAR = re.compile(
    r"[,;\s]*(?:(?:n|a|adj|adv|v|t|i|vb|prep|conj|interj|pron|pl|sing|p|pr|imp|obs|fem|masc|comp|superl)\b\.?[\s,;&]*)+"
)


def read_dictionary(path: Path) -> str:
    """The text of the dictionary; a few characters of it are damaged at the source.

    Raises:
        CorpusError: the file is missing or damaged.
    """
    try:
        return gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error) as error:
        raise CorpusError("the dictionary cannot be read", where=path, given=error, mend=GCIDE.mend) from None


def definitions(content: str) -> Iterator[str]:
    """What entries say: senses and quotations, sentence by sentence, without sources, labels and etymologies."""
    lines = content.split("\n")
    first = next((number for number, line in enumerate(lines) if _HEADWORD.fullmatch(line)), len(lines))
    paragraph: list[str] = []
    for line in [*lines[first:], ""]:
        is_new = not line.strip() or _HEADWORD.fullmatch(line) or _SENSE.match(line)
        if is_new and paragraph:
            yield from _sentences(" ".join(paragraph))
            paragraph = []
        paragraph += [line] if line.strip() else []


def _sentences(paragraph: str) -> Iterator[str]:
    text = _ACCENTED.sub(lambda match: match[1] or match[2] or match[3], paragraph)
    # Brackets hold sources and etymologies, one inside of another.
    while (without := _BRACKETED.sub(" ", text)) != text:
        text = without
    if "[" in text or "]" in text:
        return
    text = text.rpartition("\\")[2] if "\\" in text else text
    text = f" {' '.join(text.split())}"
    for front in (_SENSE, _ASIDE, _GRAMMAR, _SENSE, _ASIDE, _LABEL):
        match = front.match(text)
        text = text[match.end() :].lstrip() if match else text.lstrip()
    text = _AUTHOR.sub("", text.replace("{", "").replace("}", ""))
    for sentence in split_sentences(text):
        if len(sentence.split()) >= SHORTEST:
            yield sentence


def read(source: Path | None) -> Text:
    """The corpus in its package, which `fetch_packages` finds with `source`.

    Raises:
        CorpusError: the package cannot be had, or is damaged.
    """
    unpacked = fetch_packages([GCIDE], source)[GCIDE.name]
    index = (unpacked / _INDEX).read_bytes()
    parts = list(definitions(read_dictionary(unpacked / _DICTIONARY)))
    origin = Origin(NAME, ("en",), LICENCE, ATTRIBUTION, ((GCIDE, unpacked),), ("copyright",))
    return Text(origin, parts, counts={"entries": index.count(b"\n")})


CORPUS = text_corpus(
    read,
    name=NAME,
    languages=("en",),
    licence=LICENCE,
    description="Definitions and quotations of a large English dictionary, for text pre-training",
)
