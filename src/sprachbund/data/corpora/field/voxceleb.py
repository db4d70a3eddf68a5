"""VoxCeleb 1 and 2: celebrities in interviews, for speaker recognition; there are no texts.

Lhotse's recipe fetches a list of trials whenever VoxCeleb 1 is there, stops with a NameError on VoxCeleb 2, and joins
the two; so the files are read here.
"""

import re
from pathlib import Path

from sprachbund.data.corpora.field.inventory import Inventory
from sprachbund.data.corpora.field.records import Split, Utterance, visible
from sprachbund.errors import CorpusError

TABLES = ("vox1_meta.csv", "vox2_meta.csv")

_SPEAKER = re.compile(r"id(\d{5})")
_LAST_OF_SECOND = 10_000  # VoxCeleb 2 has the speakers up to here, VoxCeleb 1 those above
_DEPTHS = ("", "*/", "*/*/", "*/*/*/")  # VoxCeleb2/dev/aac/id00012/VIDEO/00001.m4a


def read_voxceleb(folder: Path, _: Inventory) -> dict[str, Split]:
    """The sets that are there: vox1-dev, vox1-test, vox2-dev, vox2-test."""
    described = _read_tables(folder)
    splits: dict[str, Split] = {}
    for speaker in sorted({path for depth in _DEPTHS for path in folder.glob(f"{depth}id[0-9]*")}):
        if not _SPEAKER.fullmatch(speaker.name):
            continue
        about = described.get(speaker.name, {})
        for path in visible(speaker.glob("*/*.*")):
            if path.suffix in (".wav", ".m4a", ".flac"):
                name = _split_of(path, folder, about)
                splits.setdefault(name, Split([])).utterances.append(_to_utterance(path, about))
    return dict(sorted(splits.items()))


def _to_utterance(path: Path, about: dict[str, str]) -> Utterance:
    speaker = path.parts[-3]
    custom = {"speaker_name": about.get("name"), "nationality": about.get("nationality")}
    return Utterance(
        f"{speaker}-{path.parts[-2]}-{path.stem}",
        path,
        speaker=speaker,
        gender=about.get("gender"),
        custom={key: value for key, value in custom.items() if value},
    )


def _split_of(path: Path, folder: Path, about: dict[str, str]) -> str:
    """The set of the speaker, else the one that the folders name."""
    speaker = path.parts[-3]
    version = "vox2" if int(speaker.removeprefix("id")) <= _LAST_OF_SECOND else "vox1"
    # dev/aac/id00012/VIDEO/00001.m4a: the two folders above the speaker
    part = about.get("set") or next((name for name in path.parts[-5:-3] if name in ("dev", "test")), None)
    if part not in ("dev", "test"):
        raise CorpusError(
            "the set of a speaker is not known",
            where=path.parent.parent,
            given=part,
            mend=f"Put {version}_meta.csv of the distribution into {folder}.",
        )
    return f"{version}-{part}"


def _read_tables(folder: Path) -> dict[str, dict[str, str]]:
    """Speaker -> what the tables of the distribution say."""
    speakers: dict[str, dict[str, str]] = {}
    for path in sorted({path for depth in _DEPTHS[:3] for name in TABLES for path in folder.glob(depth + name)}):
        try:
            header, *lines = path.read_text("utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise CorpusError("a table cannot be read", where=path, given=error, mend="Fetch it again.") from None
        separator = "\t" if "\t" in header else ","
        fields = [field.strip().lower() for field in header.split(separator)]
        for line in lines:
            row = dict(zip(fields, (value.strip() for value in line.split(separator)), strict=False))
            row["name"] = row.get("vggface1 id", "")
            speakers[row.get(fields[0], "")] = row
    return speakers
