"""Keeping the texts of held-out sets out of training."""

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from sprachbund.data.corpora.layout import DESCRIPTION, Clip
from sprachbund.data.manifest import read_cuts
from sprachbund.tokens.normalize import fold_to_ascii, normalize_text

TRAINING_MANIFEST = "train.jsonl.gz"


def remove_overlap(train: Sequence[Clip], dev: Sequence[Clip], test: Sequence[Clip]) -> dict[str, list[Clip]]:
    """Drop from train every text that dev or test holds, and from dev every text that test holds."""
    test_texts = {clip.text for clip in test}
    held_out = test_texts | {clip.text for clip in dev}
    return {
        "train": [clip for clip in train if clip.text not in held_out],
        "dev": [clip for clip in dev if clip.text not in test_texts],
        "test": list(test),
    }


def assign_by_checksum(key: str) -> str:
    """A split that depends on nothing but the key: one tenth test, one tenth dev, the rest train."""
    return {0: "test", 1: "dev"}.get(zlib.crc32(key.encode("utf-8")) % 10, "train")


def held_out_manifests(root: Path) -> list[Path]:
    """All manifests of the complete corpora below `root` but those of training, in order of name."""
    return [
        manifest
        for description in sorted(root.glob(f"*/{DESCRIPTION}"))
        for manifest in sorted(description.parent.glob("*.jsonl.gz"))
        if manifest.name != TRAINING_MANIFEST
    ]


def manifest_lines(manifests: Iterable[Path]) -> set[str]:
    """Normalised texts of manifests, plain and without accents."""
    lines: set[str] = set()
    for manifest in manifests:
        for cut in read_cuts(manifest):
            lines.update(normalize_text(supervision.text or "") for supervision in cut.supervisions)
    return (lines | {fold_to_ascii(line) for line in lines}) - {""}
