"""Keeping the texts of held-out sets out of training."""

import re
import zlib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from sprachbund.data.corpora.layout import DESCRIPTION, Clip, fingerprint_files
from sprachbund.data.storage.manifest import read_cuts, read_manifest_bytes
from sprachbund.tokens.normalize import fold_to_ascii, normalize_text, spell_numbers

# What else is no held-out text: manifests of parts of training, and of other tasks than texts.
_TRAINING = re.compile(r"(train|characters)(?![a-z]).*")
_PARALLEL = re.compile(r"(dev|test)\.[a-z]+-[a-z]+\.([a-z]+)\.txt")


def remove_overlap(
    train: Sequence[Clip], dev: Sequence[Clip], test: Sequence[Clip], *, also_from_dev: bool = True
) -> dict[str, list[Clip]]:
    """Drop from train every text that dev or test holds, and from dev every text that test holds."""
    test_texts = {clip.text for clip in test}
    held_out = test_texts | {clip.text for clip in dev}
    return {
        "train": [clip for clip in train if clip.text not in held_out],
        "dev": [clip for clip in dev if not also_from_dev or clip.text not in test_texts],
        "test": list(test),
    }


def assign_by_checksum(key: str, parts: int = 10) -> str:
    """A split that depends on nothing but the key: one part of `parts` test, one dev, the rest train."""
    return {0: "test", 1: "dev"}.get(zlib.crc32(key.encode("utf-8")) % parts, "train")


def split_by_checksum(
    clips: Iterable[tuple[str, Clip]], parts: int = 10, *, also_from_dev: bool = True
) -> dict[str, list[Clip]]:
    """Clips assigned by their keys, without overlap of texts, see `remove_overlap`."""
    assigned: dict[str, list[Clip]] = {"train": [], "dev": [], "test": []}
    for key, clip in clips:
        assigned[assign_by_checksum(key, parts)].append(clip)
    return remove_overlap(assigned["train"], assigned["dev"], assigned["test"], also_from_dev=also_from_dev)


def held_out_manifests(root: Path, names: Collection[str] | None = None) -> list[Path]:
    """The held-out manifests of the complete corpora below `root`, in order of name: all but those of training.

    Args:
        root: folder of all corpora.
        names: only of these corpora; None for all.
    """
    return [path for folder in _complete(root, names) for path in sorted(folder.glob("*.jsonl.gz")) if _is_held(path)]


def held_out_files(root: Path, but: str) -> list[Path]:
    """Manifests and parallel texts held out by the complete corpora below `root`, those of corpus `but` left out."""
    names = {folder.name for folder in _complete(root, None)} - {but}
    texts = [path for folder in _complete(root, names) for path in sorted(folder.glob("*.txt"))]
    return held_out_manifests(root, names) + [path for path in texts if _PARALLEL.fullmatch(path.name)]


def held_out_lines(files: Iterable[Path]) -> set[str]:
    """Normalised texts of manifests and parallel texts, plain and without accents."""
    files = list(files)
    lines = manifest_lines(path for path in files if path.name.endswith(".jsonl.gz"))
    for path in files:
        if match := _PARALLEL.fullmatch(path.name):
            content = read_manifest_bytes(path).decode("utf-8")
            lines |= _with_folded({normalize_line(line, match[2]) for line in content.split("\n")})
    return lines


def manifest_lines(manifests: Iterable[Path]) -> set[str]:
    """Normalised texts of manifests, plain and without accents."""
    lines: set[str] = set()
    for manifest in manifests:
        for cut in read_cuts(manifest):
            lines.update(normalize_text(supervision.text or "") for supervision in cut.supervisions)
    return _with_folded(lines)


def describe_files(files: Iterable[Path]) -> dict[str, str]:
    """Corpus -> fingerprint of those of its files."""
    by_folder: dict[str, list[Path]] = {}
    for path in files:
        by_folder.setdefault(path.parent.name, []).append(path)
    return {name: fingerprint_files(sorted(paths)) for name, paths in sorted(by_folder.items())}


def normalize_line(line: str, language: str) -> str:
    """A line as the manifests hold texts: normalised, numbers in words."""
    return normalize_text(spell_numbers(line, language))


def _complete(root: Path, names: Collection[str] | None) -> list[Path]:
    folders = [description.parent for description in sorted(root.glob(f"*/{DESCRIPTION}"))]
    return [folder for folder in folders if names is None or folder.name in names]


def _is_held(manifest: Path) -> bool:
    return not _TRAINING.fullmatch(manifest.name)


def _with_folded(lines: set[str]) -> set[str]:
    return (lines | {fold_to_ascii(line) for line in lines}) - {""}
