"""MuST-C: English talks with transcripts and a translation, a folder a pair of languages.

Lhotse's recipe keeps the translation only, wants all four sets, and ends at the first recording that is missing; so
the segments are read here.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from lhotse.serialization import load_yaml

from sprachbund.data.corpora.field.inventory import Inventory
from sprachbund.data.corpora.field.records import Split, Utterance, places, visible
from sprachbund.errors import CorpusError
from sprachbund.tokens.normalize import normalize_text, remove_non_speech_marks

_PAIR = re.compile(r"en-([a-z]{2,3})")


def read_must_c(folder: Path, _: Inventory) -> dict[str, Split]:
    """The sets of every pair that is there, named SET.en-TARGET."""
    splits = {}
    for pair in places(folder):
        found = _PAIR.fullmatch(pair.name)
        if found is None or not (pair / "data").is_dir():
            continue
        for part in visible((pair / "data").iterdir()):
            if (part / "txt" / f"{part.name}.yaml").is_file():
                splits[f"{part.name}.{pair.name}"] = _read_part(part, found[1])
    return splits


def _read_part(part: Path, target: str) -> Split:
    stem = part / "txt" / part.name
    segments = _read_segments(Path(f"{stem}.yaml"))
    sources, translations = (_read_lines(Path(f"{stem}.{language}")) for language in ("en", target))
    if not len(segments) == len(sources) == len(translations):
        raise CorpusError(
            "segments, transcripts and translations are not equally many",
            where=part / "txt",
            given=f"{len(segments)}, {len(sources)} and {len(translations)}",
            mend="Unpack the pair again.",
        )
    counts: Counter[str] = Counter()
    utterances = []
    for segment, source, translation in zip(segments, sources, translations, strict=True):
        name = Path(segment["wav"]).name  # only a name, so that the list cannot point out of the folder
        utterance_id = f"{Path(name).stem}_{counts[name]}"
        counts[name] += 1
        utterances.append(_to_utterance(utterance_id, part / "wav" / name, segment, source, {target: translation}))
    return Split(utterances)


def _to_utterance(
    utterance_id: str, recording: Path, segment: dict[str, Any], source: str, translations: dict[str, str]
) -> Utterance:
    said = remove_non_speech_marks(source)
    return Utterance(
        utterance_id,
        recording,
        "en",
        source,
        # A line of applause alone keeps it, so that the published sets stay whole.
        said if normalize_text(said) else source,
        start=float(segment["offset"]),
        duration=float(segment["duration"]),
        speaker=str(segment["speaker_id"]) if "speaker_id" in segment else None,
        custom={"translations": translations},
    )


def _read_segments(path: Path) -> list[dict[str, Any]]:
    try:
        segments: list[dict[str, Any]] = load_yaml(path)
        for segment in segments:
            float(segment["offset"]), float(segment["duration"]), Path(segment["wav"])
    except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise CorpusError(
            "the list of segments cannot be read", where=path, given=repr(error)[:200], mend="Unpack the pair again."
        ) from None
    return segments


def _read_lines(path: Path) -> list[str]:
    try:
        # Not splitlines, which also splits at characters that stand inside lines.
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(
            "a text of the pair cannot be read", where=path, given=error, mend="Unpack it again."
        ) from None
    return [" ".join(line.split()) for line in (lines if lines[-1] else lines[:-1])]
