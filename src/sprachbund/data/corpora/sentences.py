"""Sentences of running English text."""

import re
from collections.abc import Iterator

# After a full stop, question or exclamation mark, with closing quotes behind it, where a capital follows.
_END = re.compile("(?<=[.!?])([\"'\u201d\u2019)]*)\\s+(?=[\"'\u201c\u2018(]*[A-Z])")
_ABBREVIATION = re.compile(r"(?:\b(?:Mr|Mrs|Dr|St|Prof|vs|etc|e\.g|i\.e|cf|Vol|pp?)|\b[A-Z])\.$")


def split_sentences(text: str) -> Iterator[str]:
    """The sentences of a paragraph, with single spaces; initials and common abbreviations end none."""
    text = " ".join(text.split())
    start = 0
    for match in _END.finditer(text):
        if not _ABBREVIATION.search(text[start : match.start()]):
            yield text[start : match.end()].strip()
            start = match.end()
    if rest := text[start:].strip():
        yield rest
