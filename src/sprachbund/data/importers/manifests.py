"""Utterances -> manifests: recordings are looked at, labels stored, and everything that is left out is counted."""

import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from lhotse import MonoCut, Recording, SupervisionSegment
from lhotse.array import Array as ArrayManifest
from lhotse.array import TemporalArray
from lhotse.audio import AudioSource
from lhotse.cut import Cut
from lhotse.utils import fastcopy

from sprachbund.data.importers.lines import is_file, shorten
from sprachbund.data.importers.utterances import (
    NO_RECORDING,
    NO_TEXT,
    Encoded,
    FrameLabels,
    Item,
    Note,
    Parts,
    Request,
    Utterance,
    choose_splits,
)
from sprachbund.data.storage.manifest import write_cuts
from sprachbund.errors import AudioError, DataError
from sprachbund.files import write_atomically
from sprachbund.signal.audio import SAMPLING_RATE, probe_audio
from sprachbund.signal.recordings import PLAUSIBLE_RATES

SHOWN = 3  # examples of each note
# Frames of padding that an encoder may add or drop at the end of a recording.
TOLERANCE_SECONDS = 0.05


@dataclass
class Notes:
    """How often something happened, with some examples."""

    counts: dict[tuple[bool, str], int] = field(default_factory=dict)
    examples: dict[tuple[bool, str], list[str]] = field(default_factory=dict)

    def add(self, note: Note) -> None:
        """Count a note."""
        key = (note.is_kept, note.what)
        self.counts[key] = self.counts.get(key, 0) + 1
        shown = self.examples.setdefault(key, [])
        if len(shown) < SHOWN:
            shown.append(note.example)

    def lines(self) -> list[str]:
        """A line for each kind of note, what was left out first."""
        lines = []
        for (is_kept, what), count in sorted(self.counts.items()):
            examples = ", ".join(self.examples[is_kept, what])
            lines.append(f"{'kept' if is_kept else 'left out'}: {count} {what} ({examples})")
        return lines


@dataclass(frozen=True)
class Report:
    """What an import gave."""

    split: str
    path: Path
    counts: str  # such as "3 clips, 0.10 minutes, 12 words"
    notes: tuple[str, ...]


def import_speech(request: Request, parts: Parts) -> list[Report]:
    """Read all splits, then write a manifest for each.

    Raises:
        DataError: a list is malformed, an id is there twice, or nothing is left.
    """
    built = {}
    for split in choose_splits(request, parts):
        builder = Builder(request, split)
        built[split] = builder, builder.build(parts[split]())
    reports = []
    for split, (builder, cuts) in built.items():
        path = request.out / f"{split}.jsonl.gz"
        write_cuts(cuts, path)
        words = sum(len((said.text or "").split()) for cut in cuts for said in cut.supervisions)
        minutes = sum(cut.duration for cut in cuts) / 60
        counts = f"{len(cuts)} clips, {minutes:.2f} minutes, {words} words"
        reports.append(Report(split, path, counts, tuple(builder.notes.lines())))
    return reports


class Builder:
    """Makes the cuts of one split.

    Args:
        request: what the user asks for.
        split: its name.
    """

    def __init__(self, request: Request, split: str) -> None:
        self.request, self.split, self.notes = request, split, Notes()
        self._recordings: dict[str, Recording | Note] = {}
        self._places: dict[tuple[str, str], Path] = {}

    def build(self, items: Iterable[Item]) -> list[Cut]:
        """The cuts of all items that can be used.

        Raises:
            DataError: an id is there twice, a list is malformed, or nothing is left.
        """
        cuts: list[Cut] = []
        seen: set[str] = set()
        for item in items:
            if isinstance(item, Note):
                self.notes.add(item)
                continue
            if item.id in seen:
                where = item.where if isinstance(item, Utterance) else self.request.source
                mend = "Give every utterance its own id."
                raise DataError("two utterances share an id", where=where, given=shorten(item.id), mend=mend)
            seen.add(item.id)
            made = self._cut(item)
            if isinstance(made, Note):
                self.notes.add(made)
            else:
                cuts.append(made)
        if not cuts:
            given = "; ".join(self.notes.lines()) or "no utterance"
            raise DataError("nothing is left to import", where=f"{self.request.source}, {self.split}", given=given)
        return cuts

    def _cut(self, item: Utterance | Cut) -> Cut | Note:
        return self._cut_of_utterance(item) if isinstance(item, Utterance) else self._checked(item)

    def _cut_of_utterance(self, utterance: Utterance) -> Cut | Note:
        _check_words(utterance)
        if utterance.text is not None and not utterance.text.strip():
            return Note(NO_TEXT, utterance.id)
        recording = self._recording(utterance)
        if isinstance(recording, Note):
            return recording
        if utterance.num_samples not in (None, recording.num_samples):
            listed = f"{utterance.id}: {recording.num_samples} samples, listed are {utterance.num_samples}"
            return Note("whose recording has another length than listed", listed)
        if utterance.labels and recording.sampling_rate != SAMPLING_RATE:
            return Note(f"whose labels count time at 16 kHz, and not at {recording.sampling_rate} Hz", utterance.id)
        duration = _duration(utterance, recording)
        if isinstance(duration, Note):
            return duration
        said = SupervisionSegment(
            utterance.id,
            recording.id,
            0.0,
            duration,
            text=None if utterance.text is None else utterance.text.strip(),
            speaker=utterance.speaker,
            gender=utterance.gender,
            language=utterance.language or self.request.language,
        )
        is_silent = utterance.text is None and utterance.speaker is None
        custom = {**utterance.custom, **self._label_fields(utterance)} or None
        return MonoCut(
            utterance.id,
            utterance.start,
            duration,
            recording.channel_ids[0],
            [] if is_silent else [said],
            recording=recording,
            custom=custom,
        )

    def _recording(self, utterance: Utterance) -> Recording | Note:
        """Looked at once, however many utterances it holds."""
        identity = utterance.recording_id or utterance.id
        known = self._recordings.get(identity)
        if known is None:
            known = self._look_at(utterance.audio, identity)
            self._recordings[identity] = known
        return known

    def _look_at(self, audio: Path | Encoded, identity: str) -> Recording | Note:
        content = audio.content if isinstance(audio, Encoded) else audio
        if isinstance(audio, Path) and not is_file(audio):
            return Note(NO_RECORDING, str(audio))
        try:
            found = probe_audio(content)
        except AudioError as error:
            return Note("whose recording cannot be read", f"{identity}: {error.what}")
        if found.num_samples < 1 or found.sampling_rate not in PLAUSIBLE_RATES:
            return Note("whose recording is empty or has no rate", identity)
        path = self._place(audio, identity)
        source = AudioSource("file", list(range(found.num_channels)), str(path))
        return Recording(identity, [source], found.sampling_rate, found.num_samples, found.duration)

    def _place(self, audio: Path | Encoded, identity: str) -> Path:
        """Where the recording lies, after it was copied or written below the new manifest where that is wanted."""
        if isinstance(audio, Path) and not self.request.is_copied:
            return audio
        place = self.request.out / "recordings" / self.split / (quote(identity, safe=" ") + audio.suffix)
        if isinstance(audio, Path) and place.is_file() and place.samefile(audio):
            return place
        with write_atomically(place) as handle:
            if isinstance(audio, Encoded):
                handle.write(audio.content)
            else:
                with audio.open("rb") as original:
                    shutil.copyfileobj(original, handle)
        return place

    def _label_fields(self, utterance: Utterance) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for labels in utterance.labels:
            fields[labels.field] = self._store(labels, utterance)
            fields[f"{labels.field}_fingerprint"] = labels.fingerprint
        return fields

    def _store(self, labels: FrameLabels, utterance: Utterance) -> TemporalArray:
        digest = hashlib.blake2b(f"{self.split}\0{utterance.id}".encode(), digest_size=16).hexdigest()
        folder, key = self.request.out.resolve() / "labels" / labels.field, f"{digest[:2]}/{digest}.npy"
        narrow = np.int16 if labels.labels.max(initial=0) <= np.iinfo(np.int16).max else np.int32
        with write_atomically(folder / key) as handle:
            np.save(handle, labels.labels.astype(narrow), allow_pickle=False)
        array = ArrayManifest("numpy_files", str(folder), key, [len(labels.labels)])
        return TemporalArray(array, temporal_dim=0, frame_shift=labels.frame_shift, start=utterance.start)

    def _checked(self, cut: Cut) -> Cut | Note:
        """A cut that a manifest described, if this package can read it."""
        if not isinstance(cut, MonoCut) or cut.recording is None or len(cut.recording.sources) != 1:
            return Note("that are mixed, padded or without one recording of their own", cut.id)
        source = cut.recording.sources[0]
        if source.type != "file":
            return Note(f"whose recording is of the type {source.type}, which is not followed", cut.id)
        if not is_file(Path(source.source)):
            return Note(NO_RECORDING, source.source)
        if any(said.text is not None and not said.text.strip() for said in cut.supervisions):
            return Note(NO_TEXT, cut.id)
        place = self._places.get((cut.recording.id, source.source))
        if place is None:
            place = self._place(Path(source.source), cut.recording.id)
            self._places[cut.recording.id, source.source] = place
        told = [fastcopy(said, language=said.language or self.request.language) for said in cut.supervisions]
        recording = fastcopy(cut.recording, sources=[replace(source, source=str(place))])
        return fastcopy(cut, recording=recording, supervisions=told)


def _duration(utterance: Utterance, recording: Recording) -> float | Note:
    """Seconds of an utterance; times that run over the end by no more than an encoder's padding end there."""
    left = recording.duration - utterance.start
    wanted = left if utterance.duration is None else utterance.duration
    if left <= 0 or wanted > left + TOLERANCE_SECONDS:
        end = utterance.start + wanted
        given = f"{utterance.id}: {utterance.start:.3f} to {end:.3f} s of {recording.duration:.3f} s"
        return Note("that end after their recording", given)
    if utterance.recording_id is None and abs(wanted - left) <= TOLERANCE_SECONDS:
        # Lists round the length of a recording; parts of one are taken by their word.
        return float(left)
    if round(min(wanted, left) * recording.sampling_rate) < 1:
        return Note("of no length", utterance.id)
    return float(min(wanted, left))


def _check_words(utterance: Utterance) -> None:
    """Refuse what no manifest can hold: an empty id, and halves of characters, which JSON can spell."""
    words = (utterance.id, utterance.text, utterance.speaker, utterance.language, str(utterance.recording_id))
    if not utterance.id.strip():
        raise DataError("an utterance has no id", where=utterance.where)
    for word in words:
        try:
            (word or "").encode("utf-8")
        except UnicodeEncodeError:
            given, mend = shorten(word or ""), "Write it as whole characters."
            raise DataError("a text holds half a character", where=utterance.where, given=given, mend=mend) from None
