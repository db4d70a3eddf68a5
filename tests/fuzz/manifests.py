"""Manifests with damaged lines, and what is done with the cuts that are read."""

import gzip
import json
import random
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from lhotse import CutSet
from lhotse.array import Array
from lhotse.utils import fastcopy

import tiny
from fuzz.kind import Kind, each, pick
from fuzz.mutations import damage_bytes, damage_json, write_json
from sprachbund.cli.info import describe
from sprachbund.data.batches.collate import has_speaker_embedding, speaker_embedding, transcript_of
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.data.streams import CutStream
from sprachbund.data.units import FINGERPRINT_FIELD, load_units

MEBI = 1 << 20


def prepare(folder: Path) -> None:
    """A manifest with all that ours hold: transcripts, units, parts of recordings, mixed and padded cuts."""
    units = tiny.unit_model()
    cuts = list(read_cuts(tiny.write_corpus(folder / "corpus", 3, units=units)))
    np.save(folder / "corpus" / "vector.npy", units.centroids[0])
    stored = Array("numpy_files", str(folder / "corpus"), "vector.npy", [39])
    richest = fastcopy(cuts[0], custom={**cuts[0].custom, "speaker_embedding": stored, "raw_text": "Ab!"})
    write_cuts([richest, cuts[1].truncate(offset=0.1, duration=0.3)], folder / "corpus" / "plain.jsonl")
    mixed = cuts[1].mix(cuts[2], offset_other_by=0.1, snr=10)
    write_cuts([cuts[0], mixed, cuts[2].pad(duration=2.0)], folder / "corpus" / "mixed.jsonl.gz")


def bomb(line: bytes) -> Callable[[], bytes]:
    """1.5 GiB in a few MiB: one gzip member many times, which is a gzip file."""
    return lambda: 24 * gzip.compress(line * (64 * MEBI // len(line)), 1)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "zeros.jsonl.gz": bomb(b"\0"),
    "spaces.jsonl.gz": bomb(b" "),
    "lines.jsonl.gz": bomb(b"\n"),
    "brackets.jsonl.gz": bomb(b"["),
    "cuts.jsonl.gz": bomb(b'{"type": "MonoCut", "id": "a", "start": 0, "duration": 1, "channel": 0}\n'),
    "nested.jsonl": lambda: b"[" * 500_000,
    "opened.jsonl": lambda: b'{"type": "MonoCut", "custom": ' + b'{"a": ' * 200_000 + b"1" + b"}" * 200_000 + b"}\n",
    "empty.jsonl": lambda: b"",
    "empty.jsonl.gz": lambda: b"",
    "mark.jsonl": lambda: b"\xef\xbb\xbf{}\n",
    "half.jsonl.gz": lambda: gzip.compress(b"{}\n" * 50)[:20],
    "two.jsonl.gz": lambda: gzip.compress(b"{}\n") + b"behind",
}


def make(originals: Path, folder: Path, choice: random.Random, number: int) -> Path:
    if 0 <= number < len(HOSTILE):
        name = list(HOSTILE)[number]
        (folder / name).write_bytes(HOSTILE[name]())
        return folder / name
    original = originals / "corpus" / pick(choice, ("plain.jsonl", "plain.jsonl", "mixed.jsonl.gz"))
    content = original.read_bytes()
    lines = (gzip.decompress(content) if original.suffix == ".gz" else content).decode().splitlines()
    for name in ("audio", "units", "vector.npy"):
        (folder / name).symlink_to(original.parent / name)
    records = [json.loads(line) for line in lines]
    kind = choice.random()
    if kind < 0.8:
        chosen = choice.randrange(len(records))
        records[chosen] = damage_json(records[chosen], choice)
    text = "".join(write_json(record, choice) + "\n" for record in records)
    damaged = text.encode("utf-8", "surrogatepass")
    path = folder / pick(choice, ("cuts.jsonl", "cuts.jsonl", "cuts.jsonl.gz"))
    if path.suffix == ".gz":
        damaged = gzip.compress(damaged)
    if kind > 0.75:
        damaged = damage_bytes(damaged, choice, other=content)
    path.write_bytes(damaged)
    return path


def use(path: Path) -> None:
    cuts = list(read_cuts(path))
    each(
        lambda: describe(path),
        lambda: rewrite(cuts, path.parent / "again.jsonl"),
        lambda: plan(cuts),
        *(partial(use_cut, cut) for cut in cuts),
    )


def rewrite(cuts: list[Any], path: Path) -> None:
    """What was read can be written, and what is read then is the same."""
    write_cuts(cuts, path)
    first = path.read_bytes()
    write_cuts(read_cuts(path), path)
    assert path.read_bytes() == first


def plan(cuts: list[Any]) -> None:
    for batch in islice(CutStream(CutSet.from_cuts(cuts), 30.0, crop_seconds=15.0).plans(0), 20):
        assert batch


def use_cut(cut: Any) -> None:
    fingerprint = (getattr(cut, "custom", None) or {}).get(FINGERPRINT_FIELD)
    each(
        lambda: transcript_of(cut),
        lambda: read_waveform(cut),
        lambda: load_units(cut, fingerprint if isinstance(fingerprint, str) else ""),
        lambda: speaker_embedding(cut, 39) if has_speaker_embedding(cut) else None,
    )


MANIFESTS = Kind(1800, prepare, make, use)
