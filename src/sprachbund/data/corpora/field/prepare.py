"""From the folder where a user unpacked a corpus to manifests of its published splits; no recording is copied.

ROOT/NAME/SPLIT.jsonl.gz    cuts, with paths to the recordings where they lie
ROOT/NAME/LICENSE.txt       terms, and where the corpus comes from
ROOT/NAME/corpus.json       as of every corpus; besides: source, outline, overlap, problems, and remarks on these
"""

import hashlib
import json
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from http.client import HTTPException
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.error import URLError

from sprachbund.data.corpora.field.cuts import make_cuts
from sprachbund.data.corpora.field.inventory import Inventory
from sprachbund.data.corpora.field.recipe import quiet
from sprachbund.data.corpora.field.records import Split
from sprachbund.data.corpora.layout import (
    DESCRIPTION,
    LAYOUT_VERSION,
    Prepared,
    begin_corpus,
    find_prepared,
    fingerprint_files,
)
from sprachbund.data.storage.manifest import write_cuts
from sprachbund.errors import CorpusError
from sprachbund.files import write_atomically

NUM_EXAMPLES = 3  # of a problem or an overlap
_DAMAGED = (URLError, HTTPException, ConnectionError, TimeoutError, EOFError, zlib.error)
_DAMAGED_ARCHIVE = (tarfile.TarError, zipfile.BadZipFile)


@dataclass(frozen=True, kw_only=True)
class FieldCorpus:
    """A published corpus: how it is read, and what is told of it."""

    name: str
    title: str
    languages: tuple[str, ...]
    kind: str
    licence: str
    attribution: str
    description: str
    layout: str  # what the folder must hold, as a clause after "the folder that holds"
    home: str  # where it is to be had
    read: Callable[[Path, Inventory], dict[str, Split]]  # no split where the folder is not the corpus
    download: Callable[[Path], object] | None = None  # into a folder; None where a login or licence is in the way


def prepare(corpus: FieldCorpus, root: Path, source: Path | None = None, progress: bool = False) -> Prepared:
    """Write the manifests of a corpus below `root`; they are kept while the source is the same and holds no more.

    Args:
        corpus: which.
        root: folder of all corpora.
        source: the folder of the unpacked corpus; None for a download, where the corpus can be downloaded.
        progress: whether to show bars.

    Raises:
        CorpusError: the folder is another one, nothing in it can be used, or the download fails.
    """
    folder = root / corpus.name
    before = find_prepared(folder)
    if before is not None and (source is None or _is_same(before, source)):
        return before
    if source is None:
        source = _download(corpus, folder, progress)
    elif not source.is_dir():
        raise CorpusError(f"this is no folder of {corpus.title}", where=source, mend=_mend(corpus))
    source = Path(os.path.normpath(source.absolute()))  # links keep their names, which may be those of languages
    inventory = Inventory(corpus.name, progress)
    splits = corpus.read(source, inventory)
    if not splits:
        raise CorpusError(f"this is no unpacked {corpus.title}", where=source, mend=_mend(corpus))
    notes = _write_splits(corpus, root, splits, inventory, source)
    for stale in set(before.description["files"] if before else ()) - {
        f"{split}.jsonl.gz" for split in notes["splits"]
    }:
        (folder / stale).unlink(missing_ok=True)
    return _finish(corpus, folder, {**notes, **_describe_source(source, folder)})


def _write_splits(
    corpus: FieldCorpus, root: Path, splits: Mapping[str, Split], inventory: Inventory, source: Path
) -> dict[str, Any]:
    """Write a manifest a split, and describe what they hold and what is wrong with them."""
    counts: dict[str, dict[str, float]] = {}
    texts, problems = {}, {}
    for name, split in splits.items():
        made = make_cuts(split, inventory)
        found = {kind: {"count": len(all_), "examples": all_[:NUM_EXAMPLES]} for kind, all_ in made.problems.items()}
        if found:
            problems[name] = found
        if made.cuts:
            # Only now, so that a folder of which nothing can be used leaves an earlier one as it is.
            folder = begin_corpus(root, corpus.name)
            write_cuts(made.cuts, folder / f"{name}.jsonl.gz")
            counts[name], texts[name] = made.count(), made.texts
    empty = [name for name in splits if name not in counts]
    remarks = [*_tell_problems(problems), *(f"{name}: nothing can be used, so it has no manifest" for name in empty)]
    if not counts:
        raise CorpusError(
            f"nothing of {corpus.title} can be used", where=source, given="; ".join(remarks), mend=_mend(corpus)
        )
    overlap = _find_overlap(texts)
    return {"splits": counts, "problems": problems, "overlap": overlap, "remarks": [*remarks, *_tell_overlap(overlap)]}


def _find_overlap(texts: Mapping[str, set[str]]) -> list[dict[str, Any]]:
    """Texts that a held-out split shares with another one of the same languages; published splits keep them."""
    overlap = []
    for first, second in combinations(texts, 2):
        are_trained_on = first.startswith("train") and second.startswith("train")
        shared = sorted(texts[first] & texts[second])
        if shared and not are_trained_on and first.partition(".")[2] == second.partition(".")[2]:
            overlap.append({"splits": [first, second], "texts": len(shared), "examples": shared[:NUM_EXAMPLES]})
    return overlap


def _tell_problems(problems: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    for name, kinds in problems.items():
        for kind, found in kinds.items():
            yield f"{name}: {found['count']} {kind}, for example {', '.join(found['examples'])}"


def _tell_overlap(overlap: list[dict[str, Any]]) -> Iterator[str]:
    for found in overlap:
        first, second = found["splits"]
        yield f"{first} and {second} share {found['texts']} texts, as published, for example: {found['examples'][0]}"


def _finish(corpus: FieldCorpus, folder: Path, notes: Mapping[str, Any]) -> Prepared:
    with write_atomically(folder / "LICENSE.txt", "w") as handle:
        handle.write(
            f"{corpus.title}\n{corpus.attribution}\nLicence: {corpus.licence}\nFrom: {corpus.home}\n\n"
            "The manifests beside this file were made by sprachbund. They hold texts of the corpus, and name its\n"
            "recordings where they lie; no recording was copied. The terms of the corpus hold for both.\n"
        )
    files = [f"{split}.jsonl.gz" for split in notes["splits"]]
    description = {
        "name": corpus.name,
        "layout": LAYOUT_VERSION,
        "languages": list(corpus.languages),
        "licence": corpus.licence,
        "attribution": corpus.attribution,
        "packages": {},
        "files": files,
        "fingerprint": fingerprint_files([folder / name for name in files]),
        **notes,
    }
    with write_atomically(folder / DESCRIPTION, "w") as handle:
        handle.write(json.dumps(description, ensure_ascii=False, indent=2) + "\n")
    return Prepared(folder, was_complete=False, description=description)


def _describe_source(source: Path, folder: Path) -> dict[str, str]:
    """Where the corpus lies, and a checksum over what was there: the folders of two levels, and tables beside them."""
    # Told from the manifests' own folder, as the recordings in them are.
    place = Path(os.path.relpath(source.resolve(), folder.resolve())).as_posix()
    found = {*source.glob("*/"), *source.glob("*/*/"), *source.glob("*.tsv"), *source.glob("*/*.tsv")}
    names = sorted(path.relative_to(source).as_posix() for path in found)
    return {"source": place, "outline": hashlib.sha256("\n".join(names).encode()).hexdigest()}


def _is_same(before: Prepared, source: Path) -> bool:
    if not source.is_dir():
        return False
    return _describe_source(source, before.folder).items() <= before.description.items()


def _download(corpus: FieldCorpus, folder: Path, progress: bool) -> Path:
    if corpus.download is None:
        raise CorpusError(f"{corpus.title} cannot be fetched without its terms being accepted", mend=_mend(corpus))
    target = folder / "download"
    try:
        with nullcontext() if progress else quiet():
            corpus.download(target)
    except (*_DAMAGED, *_DAMAGED_ARCHIVE) as error:
        raise CorpusError(
            f"{corpus.title} cannot be downloaded",
            where=target,
            given=error,
            mend=f"Run the same command again, which goes on where it stopped; or else: {_mend(corpus)}",
        ) from error
    return target


def _mend(corpus: FieldCorpus) -> str:
    return f"Get it from {corpus.home} and give, with --from, the folder that holds {corpus.layout}."
