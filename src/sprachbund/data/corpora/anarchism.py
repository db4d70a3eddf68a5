"""anarchism: a long book of questions and answers in English, a text stream for pre-training."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

from sprachbund.data.corpora.layout import Origin
from sprachbund.data.corpora.package_cache import fetch_packages
from sprachbund.data.corpora.packages import ANARCHISM
from sprachbund.data.corpora.sentences import split_sentences
from sprachbund.data.corpora.text_corpus import Text, text_corpus
from sprachbund.errors import CorpusError

NAME = "anarchism"
LICENCE = "GPL-2 or later"
ATTRIBUTION = "An Anarchist FAQ: (C) 1995-2017 The Anarchist FAQ Editorial Collective."

_PAGES = "usr/share/doc/anarchism/html"
_HEAD = re.compile(r"<head\b.*?</head\s*>", re.DOTALL | re.IGNORECASE)
_BLOCK = re.compile(r"</?(?:p|h[1-6]|li|ul|ol|div|blockquote|td|tr|table|br|hr|body|html)\b[^>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_CITATION = re.compile(r"\[[^\[\]]*(?:\bpp?\.\s*\w|Op\.\s*Cit)[^\[\]]*\]")


def read_pages(folder: Path) -> list[str]:
    """The pages as they are, in order of name.

    Raises:
        CorpusError: a page cannot be read.
    """
    pages = []
    for path in sorted(folder.glob("*.html")):
        try:
            pages.append(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise CorpusError("a page cannot be read", where=path, given=error, mend=ANARCHISM.mend) from None
    return pages


def strip_tags(page: str) -> str:
    """A page with a space in the place of every tag."""
    return _TAG.sub(" ", page)


def page_sentences(page: str) -> Iterator[str]:
    """What a page says, sentence by sentence, without sources in brackets."""
    for block in _BLOCK.split(_HEAD.sub(" ", page)):
        text = _CITATION.sub(" ", html.unescape(strip_tags(block)))
        # Brackets inside of quotations stand around letters of words.
        yield from split_sentences(text.replace("[", "").replace("]", ""))


def read(source: Path | None) -> Text:
    """The corpus in its package, which `fetch_packages` finds with `source`.

    Raises:
        CorpusError: the package cannot be had, or is damaged.
    """
    unpacked = fetch_packages([ANARCHISM], source)[ANARCHISM.name]
    pages = read_pages(unpacked / _PAGES)
    origin = Origin(NAME, ("en",), LICENCE, ATTRIBUTION, ((ANARCHISM, unpacked),), ("copyright",))
    sentences = [sentence for page in pages for sentence in page_sentences(page)]
    return Text(origin, sentences, counts={"pages": len(pages)})


CORPUS = text_corpus(
    read,
    name=NAME,
    languages=("en",),
    licence=LICENCE,
    description="A long English book of questions and answers, for text pre-training",
)
