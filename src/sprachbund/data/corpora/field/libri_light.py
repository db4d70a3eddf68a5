"""Libri-Light: unlabelled audiobooks, as segments in which someone speaks.

Lhotse's recipe wants the parts small, medium and large all at once, ends at a recording without its JSON file, and
replaces the letters "flac" anywhere in a path; so the files are read here, with the same segments.
"""

import json
from pathlib import Path
from typing import Any

from sprachbund.data.corpora.field.inventory import Inventory
from sprachbund.data.corpora.field.records import MISSING, UNTRANSCRIBED, Split, Utterance, places, visible

PARTS = ("small", "medium", "large", "duplicate")


def read_libri_light(folder: Path, _: Inventory) -> dict[str, Split]:
    """The parts that are there: PART/SPEAKER/BOOK/CHAPTER.flac, each beside a JSON file of its voice activity."""
    for place in places(folder):
        parts = [part for part in PARTS if (place / part).is_dir()]
        if any(next((place / part).glob("*/*/*.json"), None) is not None for part in parts):
            return {part: _read_part(place / part) for part in parts}
    return {}


def _read_part(part: Path) -> Split:
    utterances, silent = [], []
    for path in visible(part.glob("*/*/*.flac")):
        name = _name(path, part)
        read = _read_activity(path.with_suffix(".json"))
        if read is None:
            silent.append(name)
            continue
        speaker, segments = read
        utterances += [
            Utterance(f"{name}-{number}", path, "en", start=start, duration=round(end - start, 8), speaker=speaker)
            for number, (start, end) in enumerate(segments)
        ]
    lost = [path for path in visible(part.glob("*/*/*.json")) if not path.with_suffix(".flac").is_file()]
    problems = {UNTRANSCRIBED: silent, MISSING: [_name(path, part) for path in lost]}
    return Split(utterances, {kind: names for kind, names in problems.items() if names})


def _name(path: Path, part: Path) -> str:
    return "-".join(path.relative_to(part).with_suffix("").parts)


def _read_activity(path: Path) -> tuple[str, list[tuple[float, float]]] | None:
    """The speaker, and start and end of each segment in seconds; None where the file is missing or damaged."""
    try:
        found: Any = json.loads(path.read_text("utf-8"))
        return str(found["speaker"]), [(float(start), float(end)) for start, end in found["voice_activity"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
