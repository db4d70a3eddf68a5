"""Manifests: gzipped lines of JSON, each a Lhotse cut. Paths inside are relative to the manifest's own folder."""

import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from lhotse import CutSet
from lhotse.serialization import deserialize_item

from sprachbund.data.storage.records import problem_of
from sprachbund.errors import DataError
from sprachbund.files import is_file, write_atomically

_LONGEST_LINE = 64 << 20  # bytes
_ALWAYS_UNPACKED = 64 << 20  # bytes
_HIGHEST_RATIO = 300  # ten times that of a manifest whose cuts differ in little but their number
_CUT_TYPES = ("MonoCut", "MultiCut", "MixedCut", "PaddingCut")
_MEND = "Give a manifest that sprachbund or Lhotse wrote (cuts as .jsonl.gz or .jsonl)."


def write_cuts(cuts: Iterable[Any], path: Path) -> None:
    """Write Lhotse cuts, atomically; equal cuts give equal bytes.

    Paths of recordings and of arrays are stored relative to the folder of `path`, so that a folder that holds
    a manifest and its recordings can be moved as a whole.

    Raises:
        DataError: there is no cut, two cuts share an id, or a cut holds what JSON cannot (arrays in memory).
    """
    folder = path.parent.resolve()
    lines = []
    ids: set[str] = set()
    for cut in cuts:
        _check_new(cut.id, ids, path)
        record = _map_paths(cut.to_dict(), lambda name: _relative(name, folder))
        lines.append(_dump(record, path))
    if not lines:
        raise DataError("a manifest without cuts cannot be written", where=path, mend="Check what was filtered out.")
    content = "".join(f"{line}\n" for line in lines).encode()
    with write_atomically(path) as handle:
        # Neither the time nor the name goes into the header.
        handle.write(gzip.compress(content, 6, mtime=0) if path.suffix == ".gz" else content)


def read_cuts(path: Path) -> CutSet:
    """Read a manifest eagerly; relative paths of recordings and arrays are resolved against its folder.

    Raises:
        DataError: the file is missing, is no manifest of cuts, is cut short, is empty, or holds an id twice.
    """
    folder = path.parent.resolve()
    cuts = []
    ids: set[str] = set()
    for number, line in enumerate(_read_lines(path), start=1):
        cut = parse_cut(line, folder, f"{path}, line {number}")
        _check_new(cut.id, ids, path)
        cuts.append(cut)
    if not cuts:
        raise DataError("the manifest is empty", where=path, mend=_MEND)
    return CutSet.from_cuts(cuts)


def read_manifest_bytes(path: Path) -> bytes:
    """The lines of a manifest as bytes, uncompressed; what fingerprints are made of.

    Raises:
        DataError: the file is missing, or is damaged.
    """
    return b"".join(_read_parts(path))


def _read_parts(path: Path) -> Iterator[bytes]:
    """The uncompressed bytes, part by part, unless the file is a bomb: a small one that unpacks to very much."""
    if not is_file(path):
        raise DataError("the manifest does not exist", where=path, mend="Check the path, or fetch the corpus first.")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as handle:
            left = max(_ALWAYS_UNPACKED, _HIGHEST_RATIO * path.stat().st_size)
            while part := handle.read(1 << 20):
                left -= len(part)
                if left < 0:
                    raise DataError("the manifest unpacks to far more than manifests do", where=path, mend=_MEND)
                yield part
    except (OSError, EOFError, zlib.error) as error:
        raise DataError("the manifest is damaged or no gzip file", where=path, given=error, mend=_MEND) from None


def _read_lines(path: Path) -> Iterator[str]:
    """The lines that are not blank, one at a time."""
    begun: list[bytes] = []  # the parts of a line whose end has not come yet
    for part in _read_parts(path):
        # Not splitlines, which also splits at characters that JSON leaves as they are.
        is_blank = part.isspace() and b"\n" in part
        first, *others = (b"", b"") if is_blank else part.split(b"\n")
        begun.append(first)
        if sum(map(len, begun)) > _LONGEST_LINE:
            raise DataError("a line of the manifest is too long", where=path, mend=_MEND)
        if others:
            whole = (b"".join(begun), *others[:-1])
            begun = [others[-1]]
            yield from (_decode(line, path) for line in whole if line.strip())
    if (last := b"".join(begun)).strip():
        yield _decode(last, path)


def _decode(line: bytes, path: Path) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError("the manifest is not UTF-8 text", where=path, given=error.reason, mend=_MEND) from None


def parse_cut(line: str, folder: Path, where: str) -> Any:
    """The Lhotse cut of one line of a manifest.

    Args:
        line: JSON.
        folder: of the manifest; relative paths are resolved against it.
        where: the place, as errors name it.

    Raises:
        DataError: the line is no cut.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError("the line is no JSON", where=where, given=error, mend=_MEND) from None
    kind = record.get("type") if isinstance(record, dict) else type(record).__name__
    if kind not in _CUT_TYPES:
        raise DataError("the line is no cut", where=where, given=f"type {kind}", mend=_MEND)
    if problem := problem_of(line):
        raise DataError("the line is no valid cut", where=where, given=problem, mend=_MEND)
    try:
        return deserialize_item(_map_paths(record, lambda name: str(folder / name)))
    except (AssertionError, AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise DataError("the line is no valid cut", where=where, given=repr(error), mend=_MEND) from None


def _check_new(cut_id: str, ids: set[str], path: Path) -> None:
    if cut_id in ids:
        raise DataError("two cuts share an id", where=path, given=cut_id, mend="Give every cut its own id.")
    ids.add(cut_id)


def _dump(record: dict[str, Any], path: Path) -> str:
    try:
        return json.dumps(record, ensure_ascii=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise DataError(
            "a cut holds something that a manifest cannot",
            where=path,
            given=f"{record['id']}: {error}",
            mend="Store its arrays and recordings in files first.",
        ) from None


def _relative(name: str, folder: Path) -> str:
    # A file that is a link keeps its own name; only the folders are resolved.
    path = Path(name).parent.resolve() / Path(name).name
    return Path(os.path.relpath(path, folder)).as_posix()


def _map_paths(value: Any, change: Callable[[str], str]) -> Any:
    """A copy of a manifest's record with every path of a file changed: sources of recordings, storage of arrays."""
    if isinstance(value, list):
        return [_map_paths(item, change) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {key: _map_paths(item, change) for key, item in value.items()}
    if changed.get("type") == "file" and isinstance(changed.get("source"), str):
        changed["source"] = change(changed["source"])
    if isinstance(changed.get("storage_path"), str) and "storage_key" in changed:
        _map_storage(changed, change)
    return changed


def _map_storage(record: dict[str, Any], change: Callable[[str], str]) -> None:
    """Change the place of a stored array; what lies in memory or behind an address has none."""
    is_local = not record.get("storage_type", "").startswith("memory") and "://" not in record["storage_path"]
    if is_local and record["storage_path"]:
        record["storage_path"] = change(record["storage_path"])
