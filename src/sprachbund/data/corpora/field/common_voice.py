"""Common Voice: sentences read by volunteers, a folder a language.

Lhotse's recipe knows 23 languages and needs the columns ``accents`` and ``variant``, which releases before 2022 do not
have (CoVoST 2 is made on one of 2019); and it spawns a process for every table. So the tables are read here.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from sprachbund.data.corpora.field.inventory import Inventory
from sprachbund.data.corpora.field.records import Split, Utterance, places, visible
from sprachbund.errors import CorpusError

SPLITS = ("train", "dev", "test")


def read_common_voice(folder: Path, _: Inventory) -> dict[str, Split]:
    """The published splits of every language that is there, named SPLIT.LANGUAGE."""
    splits = {}
    for language in language_folders(folder):
        for split in SPLITS:
            table = language / f"{split}.tsv"
            if table.is_file():
                splits[f"{split}.{language.name}"] = Split([to_utterance(row, language) for row in read_table(table)])
    return splits


def language_folders(folder: Path) -> list[Path]:
    """Folders of languages, which hold clips: the folder itself, in it, or in a folder of it (a release)."""
    # Clips are millions of files: their folder is not searched.
    near = [place for place in places(folder) if place.name != "clips"]
    nested = (visible(place.iterdir()) for place in near[1:] if not (place / "clips").is_dir())
    return [place for place in [*near, *(place for inner in nested for place in inner)] if (place / "clips").is_dir()]


def read_table(path: Path, escape: str | None = None) -> Iterator[dict[str, str]]:
    """The rows of a table of Common Voice or CoVoST 2; quotes have no meaning in them.

    Raises:
        CorpusError: the table cannot be read, or lacks the columns of a recording and a sentence or translation.
    """
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            rows = csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE, escapechar=escape, restval="")
            missing = {"path"} - set(rows.fieldnames or ())
            if missing or not {"sentence", "translation"} & set(rows.fieldnames or ()):
                raise CorpusError(
                    "a table lacks columns",
                    where=path,
                    given=", ".join(rows.fieldnames or ()),
                    mend="It must have path and sentence (or translation); unpack it again.",
                )
            yield from rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError("a table cannot be read", where=path, given=error, mend="Unpack it again.") from None


def to_utterance(row: dict[str, str], language: Path) -> Utterance:
    """A row as an utterance of the language whose folder this is."""
    # Only a name is taken, so that a table cannot point out of the folder; old releases leave out the suffix.
    name = Path(row["path"]).name
    name = name if Path(name).suffix else f"{name}.mp3"
    accent = row.get("accents") or row.get("accent")
    custom = {"age": row.get("age"), "accent": accent, "variant": row.get("variant")}
    return Utterance(
        Path(name).stem,
        language / "clips" / name,
        language.name,
        row.get("sentence", ""),
        speaker=row.get("client_id") or None,
        gender=row.get("gender") or None,
        custom={key: value for key, value in custom.items() if value},
    )
