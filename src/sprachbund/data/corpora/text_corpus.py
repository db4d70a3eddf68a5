"""How a text corpus is prepared, whatever it is: normalised lines, and pairs of lines, without what corpora hold out.

What is held out grows with every corpus that comes beside. Then lines are taken out of the files that are there; only
where what was held out has changed or gone, the texts are read anew.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sprachbund.data.corpora.layout import (
    DESCRIPTION,
    TEXT,
    Corpus,
    Origin,
    Prepared,
    begin_corpus,
    find_prepared,
    finish_corpus,
    refinish_corpus,
)
from sprachbund.data.corpora.progress import show_progress
from sprachbund.data.corpora.splits import describe_files, held_out_files, held_out_lines, normalize_line
from sprachbund.files import write_atomically
from sprachbund.tokens.normalize import fold_to_ascii

_ACCEPTED = re.compile(r"[a-z' ]+")

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class PairedText:
    """The lines of one split in two languages."""

    split: str
    languages: tuple[str, str]
    pairs: Pairs

    @property
    def files(self) -> tuple[str, str]:
        """Names of the two files."""
        both = "-".join(self.languages)
        first, second = (f"{self.split}.{both}.{language}.txt" for language in self.languages)
        return first, second


@dataclass(frozen=True)
class Text:
    """What packages hold of a text corpus."""

    origin: Origin
    parts: Sequence[str]  # English, as written; each becomes a line of the stream
    paired: Sequence[PairedText] = ()
    counts: Mapping[str, int] = field(default_factory=dict)  # of what the parts were made from


@dataclass(frozen=True)
class Lines:
    """The lines of a text stream, and what was left out on the way."""

    lines: tuple[str, ...]
    foreign: int  # lines with other characters than a-z, apostrophe and space
    repeated: int
    removed: int  # lines that are texts of held-out sets


def text_corpus(
    read: Callable[[Path | None], Text], *, name: str, languages: tuple[str, ...], licence: str, description: str
) -> Corpus:
    """A row of the registry for a corpus that `read` finds in packages (those of a source, see `fetch_packages`)."""
    prepare = partial(prepare_text, read, name)
    return Corpus(name, languages, "text", None, licence, description, prepare)


def collect_lines(parts: Iterable[str], held_out: set[str]) -> Lines:
    """Normalise `parts`, numbers in words and accents folded; each line once, none of `held_out`."""
    kept: dict[str, None] = {}
    foreign = repeated = 0
    removed: set[str] = set()
    for part in parts:
        line = fold_to_ascii(normalize_line(part, "en"))
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
    return Lines(tuple(kept), foreign, repeated, len(removed))


def prepare_text(
    read: Callable[[Path | None], Text], name: str, root: Path, source: Path | None = None, progress: bool = False
) -> Prepared:
    """Write a text corpus below `root`, without the held-out texts of the corpora that are there.

    Args:
        read: finds the corpus in its packages.
        name: of the corpus.
        root: folder of all corpora.
        source: the packages as files or folder, see `fetch_packages`.
        progress: whether to show a bar.

    Raises:
        CorpusError: the packages cannot be had, or are damaged.
        DataError: a manifest of another corpus is damaged.
    """
    files = held_out_files(root, but=name)
    checked = describe_files(files)
    prepared = find_prepared(root / name)
    if prepared is not None:
        before = prepared.description.get("checked_against", {})
        if before == checked:
            return prepared
        if before.items() <= checked.items():
            come = [path for path in files if path.parent.name not in before]
            return _narrow(prepared, held_out_lines(come), checked)
    text = read(source)
    held_out = held_out_lines(files)
    result = collect_lines(show_progress(text.parts, f"{name}: lines", len(text.parts), progress), held_out)
    paired = [_without(part, held_out) for part in text.paired]
    folder = begin_corpus(root, name)
    _write_lines(folder / TEXT, result.lines)
    for part in paired:
        _write_pairs(folder, part)
    names = [TEXT, *(name for part in paired for name in part.files)]
    notes = {
        "counts": {**text.counts, **_count_lines(result.lines)},
        "left_out": {"foreign": result.foreign, "repeated": result.repeated, "held_out": result.removed},
        "checked_against": checked,
    }
    if paired:
        notes["pairs"] = {_name(part): len(part.pairs) for part in paired}
    return finish_corpus(folder, text.origin, names, notes)


def _narrow(prepared: Prepared, held_out: set[str], checked: Mapping[str, str]) -> Prepared:
    """Take further held-out lines out of the files of a corpus."""
    folder, description = prepared.folder, dict(prepared.description)
    lines = (folder / TEXT).read_text("utf-8").split("\n")[:-1]
    kept = [line for line in lines if line not in held_out]
    paired = [_without(part, held_out) for part in _read_pairs(folder, description)]
    left_out = description["left_out"]
    description |= {
        "counts": {**description["counts"], **_count_lines(kept)},
        "left_out": {**left_out, "held_out": left_out["held_out"] + len(lines) - len(kept)},
        "checked_against": dict(checked),
    }
    if paired:
        description["pairs"] = {_name(part): len(part.pairs) for part in paired}
    (folder / DESCRIPTION).unlink()
    _write_lines(folder / TEXT, kept)
    for part in paired:
        _write_pairs(folder, part)
    return refinish_corpus(folder, description)


def _without(part: PairedText, held_out: set[str]) -> PairedText:
    """Training pairs without those of which one side is held out."""
    if part.split != "train":
        return part
    first, second = part.languages
    kept = [
        pair
        for pair in part.pairs
        if normalize_line(pair[0], first) not in held_out and normalize_line(pair[1], second) not in held_out
    ]
    return PairedText(part.split, part.languages, kept)


def _name(part: PairedText) -> str:
    return f"{part.split}.{'-'.join(part.languages)}"


def _read_pairs(folder: Path, description: Mapping[str, Any]) -> list[PairedText]:
    read = []
    for name in description.get("pairs", {}):
        split, _, both = name.partition(".")
        first, _, second = both.partition("-")
        part = PairedText(split, (first, second), ())
        sides = [(folder / file).read_text("utf-8").split("\n")[:-1] for file in part.files]
        read.append(PairedText(split, (first, second), list(zip(*sides, strict=True))))
    return read


def _count_lines(lines: Sequence[str]) -> dict[str, int]:
    return {"lines": len(lines), "words": sum(len(line.split()) for line in lines)}


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with write_atomically(path, "w") as handle:
        handle.writelines(f"{line}\n" for line in lines)


def _write_pairs(folder: Path, part: PairedText) -> None:
    for side, name in enumerate(part.files):
        _write_lines(folder / name, (pair[side] for pair in part.pairs))
