"""wordnet: the definitions and examples of a dictionary of English, a text stream for pre-training."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sprachbund.data.corpora.layout import (
    TEXT,
    Origin,
    Prepared,
    begin_corpus,
    find_prepared,
    fingerprint_files,
    finish_corpus,
)
from sprachbund.data.corpora.packages import WORDNET, fetch_packages
from sprachbund.data.corpora.progress import show_progress
from sprachbund.data.corpora.splits import held_out_manifests, manifest_lines
from sprachbund.errors import CorpusError
from sprachbund.files import write_atomically
from sprachbund.tokens.normalize import fold_to_ascii, normalize_text, spell_numbers

NAME = "wordnet"
LICENCE = "WordNet 3.0 licence"
ATTRIBUTION = "WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved."
PARTS_OF_SPEECH = ("noun", "verb", "adj", "adv")

_ACCEPTED = re.compile(r"[a-z' ]+")
# A semicolon separates the parts of a gloss, but not inside an example in quotes or a remark in parentheses.
_PART = re.compile(r'(?:"[^"]*"|\([^()]*\)|[^;])+')


@dataclass(frozen=True)
class Lines:
    """The lines of the text stream, and what was left out on the way."""

    lines: tuple[str, ...]
    glosses: int
    foreign: int  # lines with other characters than a-z, apostrophe and space
    repeated: int
    removed: int  # lines that are texts of held-out sets


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


def collect_lines(glosses: Iterable[str], held_out: set[str]) -> Lines:
    """Normalise the parts of glosses, numbers in words and accents folded; each line once, none of `held_out`."""
    kept: dict[str, None] = {}
    num_glosses = foreign = repeated = 0
    removed: set[str] = set()
    for gloss in glosses:
        num_glosses += 1
        for part in split_gloss(gloss):
            line = fold_to_ascii(normalize_text(spell_numbers(part)))
            if not line:
                continue
            if not _ACCEPTED.fullmatch(line):
                foreign += 1
            elif line in kept or line in removed:
                repeated += 1
            elif line in held_out:
                removed.add(line)
            else:
                kept[line] = None
    return Lines(tuple(kept), num_glosses, foreign, repeated, len(removed))


def prepare(root: Path, source: Path | None = None, progress: bool = False) -> Prepared:
    """Write the text stream below `root`, without the held-out texts of the corpora that are there.

    When another corpus has come or changed since, the text is written anew.

    Args:
        root: folder of all corpora.
        source: the package as a file or folder, see `fetch_packages`.
        progress: whether to show a bar.

    Raises:
        CorpusError: the package cannot be had, or is damaged.
        DataError: a manifest of another corpus is damaged.
    """
    checked = _describe_manifests(root)
    prepared = find_prepared(root / NAME)
    if prepared is not None and prepared.description.get("checked_against") == checked:
        return prepared
    unpacked = fetch_packages([WORDNET], source)[WORDNET.name]
    glosses = list(read_glosses(unpacked / "usr/share/wordnet"))
    shown = show_progress(glosses, f"{NAME}: glosses", len(glosses), progress)
    result = collect_lines(shown, manifest_lines(held_out_manifests(root)))
    folder = begin_corpus(root, NAME)
    with write_atomically(folder / TEXT, "w") as handle:
        handle.writelines(f"{line}\n" for line in result.lines)
    origin = Origin(NAME, ("en",), LICENCE, ATTRIBUTION, ((WORDNET, unpacked),), ("copyright",))
    return finish_corpus(folder, origin, [TEXT], _describe_lines(result, checked))


def _describe_manifests(root: Path) -> dict[str, str]:
    """Corpus -> fingerprint of its held-out manifests."""
    manifests = held_out_manifests(root)
    folders = sorted({manifest.parent for manifest in manifests})
    return {
        folder.name: fingerprint_files([manifest for manifest in manifests if manifest.parent == folder])
        for folder in folders
    }


def _describe_lines(result: Lines, checked: dict[str, str]) -> dict[str, Any]:
    return {
        "counts": {
            "glosses": result.glosses,
            "lines": len(result.lines),
            "words": sum(len(line.split()) for line in result.lines),
        },
        "left_out": {"foreign": result.foreign, "repeated": result.repeated, "held_out": result.removed},
        "checked_against": checked,
    }
