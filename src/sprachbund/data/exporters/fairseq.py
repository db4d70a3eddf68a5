"""fairseq's lists: ``SPLIT.tsv`` with ``SPLIT.wrd``, ``.ltr`` and ``.km``, the dictionaries, and ``SPLIT.id``."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from lhotse.cut import Cut

from sprachbund.data.exporters.new_folder import new_folder
from sprachbund.data.exporters.sources import source_of, text_of
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.data.units import FINGERPRINT_FIELD, UNITS_FIELD
from sprachbund.errors import DataError, VocabularyError
from sprachbund.files import write_atomically
from sprachbund.signal.audio import SAMPLING_RATE, write_audio

READ_BY_FAIRSEQ = (".wav", ".flac", ".ogg")
WORD_END = "|"
AUDIO = "audio"


@dataclass
class _Split:
    """What the files of one split hold, a line for each cut."""

    name: str
    ids: list[str] = field(default_factory=list)
    recordings: list[tuple[Path, int]] = field(default_factory=list)  # with numbers of samples
    texts: list[str] = field(default_factory=list)  # none, or one for each
    units: list[str] = field(default_factory=list)  # none, or one for each


def export_fairseq(manifests: Sequence[Path], out: Path) -> str:
    """Write lists and labels of manifests, each a split; returns what was written, in words.

    Whole recordings of one channel at 16 kHz are named where they lie; parts of recordings and others are written
    as FLAC at 16 kHz below `out`. The dictionaries are those of all manifests together.

    Raises:
        DataError: two manifests have one name, some cuts have a transcript or units and others not, or `out` is not
            empty.
        VocabularyError: units of several unit models.
        AudioError: a recording that cannot be read.
    """
    names = [path.name.removesuffix(".gz").removesuffix(".jsonl") for path in manifests]
    if len(set(names)) < len(names):
        raise DataError("two manifests have one name", given=", ".join(names), mend="Rename one of them.")
    cuts = {name: list(read_cuts(path)) for name, path in zip(names, manifests, strict=True)}
    _check_one_model([cut for split in cuts.values() for cut in split])
    with new_folder(out) as folder:
        splits = [_collect(name, split, folder, out.resolve()) for name, split in cuts.items()]
        for split in splits:
            _write_split(split, folder)
        _write_dictionaries(splits, folder)
    return "; ".join(f"{split.name}: {len(split.ids)} recordings ({_labels(split)})" for split in splits)


def _collect(name: str, cuts: Sequence[Cut], folder: Path, out: Path) -> _Split:
    split = _Split(name)
    for cut in cuts:
        split.ids.append(_one_line(cut.id, cut.id))
        split.recordings.append(_recording(cut, Path(AUDIO) / name, folder, out))
        text = text_of(cut)
        split.texts += [] if text is None else [text]
        if _has_units(cut):
            split.units.append(" ".join(map(str, cut.load_custom(UNITS_FIELD).tolist())))
    for what, labels in (("transcript", split.texts), ("units", split.units)):
        if len(labels) not in (0, len(cuts)):
            given, mend = f"{len(labels)} of {len(cuts)}", "Leave the others out first."
            raise DataError(f"not every cut has a {what}", where=name, given=given, mend=mend)
    return split


def _recording(cut: Cut, inside: Path, folder: Path, out: Path) -> tuple[Path, int]:
    """The file of a cut, as it will be named when `folder` is called `out`, and its samples."""
    source, whole = source_of(cut), cut.recording
    path = Path(source.source)
    is_named = (
        source.type == "file"
        and path.suffix.lower() in READ_BY_FAIRSEQ
        and whole.sampling_rate == SAMPLING_RATE
        and len(source.channels) == 1
        and cut.start == 0
        and round(cut.duration * SAMPLING_RATE) == whole.num_samples
    )
    if is_named:
        return Path(_one_line(os.path.abspath(path), cut.id)), whole.num_samples  # noqa: PTH100  (a link keeps its name)
    waveform, name = read_waveform(cut), inside / f"{quote(cut.id, safe=' ')}.flac"
    write_audio(folder / name, waveform)
    return out / name, len(waveform)


def _write_split(split: _Split, folder: Path) -> None:
    root = Path(os.path.commonpath([path.parent for path, _ in split.recordings]))
    rows = [f"{path.relative_to(root)}\t{num_samples}" for path, num_samples in split.recordings]
    files = {"tsv": [str(root), *rows], "id": split.ids}
    if split.texts:
        files["wrd"] = split.texts
        files["ltr"] = [" ".join(_letters(text)) for text in split.texts]
    if split.units:
        files["km"] = split.units
    for ending, lines in files.items():
        _write_lines(folder / f"{split.name}.{ending}", lines)


def _write_dictionaries(splits: Sequence[_Split], folder: Path) -> None:
    """Letters by their counts, as fairseq orders them; units by their number, so that it is their place."""
    letters = Counter(letter for split in splits for text in split.texts for letter in _letters(text))
    if letters:
        ordered = sorted(letters.items(), key=lambda entry: (-entry[1], entry[0]))
        _write_lines(folder / "dict.ltr.txt", [f"{letter} {count}" for letter, count in ordered])
    units = Counter(int(unit) for split in splits for line in split.units for unit in line.split())
    if units:
        _write_lines(folder / "dict.km.txt", [f"{unit} {units[unit]}" for unit in range(max(units) + 1)])


def _letters(text: str) -> list[str]:
    return [*WORD_END.join(text.split()), WORD_END]


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    with write_atomically(path) as handle:
        handle.write("".join(f"{line}\n" for line in lines).encode("utf-8"))


def _check_one_model(cuts: Sequence[Cut]) -> None:
    found = sorted({str(cut.custom.get(FINGERPRINT_FIELD)) for cut in cuts if _has_units(cut)})
    if len(found) > 1:
        given = ", ".join(fingerprint[:16] for fingerprint in found)
        raise VocabularyError("the cuts have units of several unit models", given=given, mend="Label them anew.")


def _has_units(cut: Cut) -> bool:
    return UNITS_FIELD in (getattr(cut, "custom", None) or {})


def _one_line(text: str, cut_id: str) -> str:
    if any(mark in text for mark in "\t\n\r"):
        raise DataError("a name holds a tab or a line end", where=f"cut {cut_id}", given=repr(text), mend="Rename it.")
    return text


def _labels(split: _Split) -> str:
    held = [name for name, lines in (("texts", split.texts), ("units", split.units)) if lines]
    return ", ".join(held) or "no labels"
