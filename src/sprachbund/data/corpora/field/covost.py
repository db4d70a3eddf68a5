"""CoVoST 2: translations of Common Voice 4.0, one table a pair of languages. Lhotse has no recipe for it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sprachbund.data.corpora.field.common_voice import language_folders, read_table, to_utterance
from sprachbund.data.corpora.field.inventory import Inventory
from sprachbund.data.corpora.field.records import Split, Utterance, places, visible

NO_TRANSLATION = "translations are empty"
NO_SENTENCE = "recordings with a translation are not in validated.tsv"

_TABLE = re.compile(r"covost_v2\.([A-Za-z-]+)_([A-Za-z-]+)\.tsv")
# What CoVoST 2 added to the training set of Common Voice belongs to training.
_SPLITS = {"train": "train", "train_covost": "train", "dev": "dev", "test": "test"}


def read_covost(folder: Path, _: Inventory) -> dict[str, Split]:
    """The splits of every pair whose table and whose Common Voice are there, named SPLIT.SOURCE-TARGET."""
    languages = {place.name: place for place in language_folders(folder)}
    sentences: dict[str, dict[str, Utterance]] = {}
    splits: dict[str, Split] = {}
    for table, source, target in _find_tables(folder):
        language = languages.get(source)
        if language is None or not (language / "validated.tsv").is_file():
            continue
        if source not in sentences:
            rows = read_table(language / "validated.tsv", "\\")
            sentences[source] = {said.utterance_id: said for said in (to_utterance(row, language) for row in rows)}
        splits |= _read_pair(table, language, target, sentences[source])
    return splits


def _find_tables(folder: Path) -> Iterator[tuple[Path, str, str]]:
    near = [place for place in places(folder) if place.name != "clips"]
    nested = (visible(place.glob("*/covost_v2.*.tsv")) for place in near[1:])
    tables = [table for place in near for table in visible(place.glob("covost_v2.*.tsv"))]
    for table in [*tables, *(table for inner in nested for table in inner)]:
        found = _TABLE.fullmatch(table.name)
        if found is not None:
            yield table, found[1], found[2]


def _read_pair(table: Path, language: Path, target: str, sentences: dict[str, Utterance]) -> dict[str, Split]:
    """The sentences of validated.tsv with the translations of a table."""
    splits: dict[str, Split] = {}
    for row in read_table(table, "\\"):
        name = _SPLITS.get(row.get("split", ""))
        if name is None:
            continue
        split = splits.setdefault(f"{name}.{language.name}-{target}", Split([]))
        clip = to_utterance(row, language).utterance_id
        translation = " ".join(row["translation"].split()) if "translation" in row else ""
        said = sentences.get(clip)
        if said is None:
            split.problems.setdefault(NO_SENTENCE, []).append(clip)
        elif not translation:
            split.problems.setdefault(NO_TRANSLATION, []).append(clip)
        else:
            custom = {**said.custom, "translations": {target: translation}}
            split.utterances.append(replace(said, custom=custom))
    return splits
