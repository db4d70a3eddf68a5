"""Utterances of a corpus to cuts, with everything that had to be left out counted by kind."""

import functools
import unicodedata
from dataclasses import dataclass

from lhotse import MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource

from sprachbund.data.corpora.field.inventory import Inventory
from sprachbund.data.corpora.field.records import EMPTY, OUTSIDE, REPEATED, SHORTENED, Split, Utterance
from sprachbund.errors import DataError
from sprachbund.signal.audio import AudioInfo
from sprachbund.tokens.normalize import normalize_text, spell_numbers

SHORTEST_SECONDS = 0.001  # of a cut
TOLERANCE_SECONDS = 0.05  # by which a segment may end after its recording without a word about it


@dataclass(frozen=True)
class CutSplit:
    """The cuts of a split, and its problems: examples by kind."""

    cuts: list[MonoCut]
    problems: dict[str, list[str]]

    @property
    def texts(self) -> set[str]:
        """The distinct texts, normalised."""
        return {sup.text for cut in self.cuts for sup in cut.supervisions if sup.text is not None}

    def count(self) -> dict[str, float]:
        """Cuts, minutes, words and speakers."""
        supervisions = [sup for cut in self.cuts for sup in cut.supervisions]
        return {
            "cuts": len(self.cuts),
            "minutes": round(sum(cut.duration for cut in self.cuts) / 60, 2),
            "words": sum(len((sup.text or "").split()) for sup in supervisions),
            "speakers": len({sup.speaker for sup in supervisions} - {None}),
        }


def make_cuts(split: Split, inventory: Inventory) -> CutSplit:
    """The cuts of what can be used of a split, in order of their ids."""
    inventory.look(utterance.recording for utterance in split.utterances)
    problems = {kind: list(examples) for kind, examples in split.problems.items()}
    cuts: dict[str, MonoCut] = {}
    for utterance in split.utterances:
        made = _make_cut(utterance, inventory, utterance.utterance_id in cuts)
        kind = made if isinstance(made, str) else _remark(utterance, inventory.infos[utterance.recording])
        if kind is not None:
            problems.setdefault(kind, []).append(utterance.utterance_id)
        if not isinstance(made, str):
            cuts[made.id] = made
    return CutSplit([cuts[name] for name in sorted(cuts)], problems)


def reference_text(text: str, language: str | None) -> str:
    """A text as a recogniser learns it; digits stay where the number speller does not know the language."""
    composed = unicodedata.normalize("NFC", text)
    code = (language or "en").partition("-")[0]
    return normalize_text(spell_numbers(composed, code) if _spells(code) else composed)


def _make_cut(utterance: Utterance, inventory: Inventory, is_repeated: bool) -> MonoCut | str:
    """The cut, or the kind of problem that forbids it."""
    info = inventory.infos.get(utterance.recording)
    if info is None:
        return inventory.problems[utterance.recording]
    if is_repeated:
        return REPEATED
    duration = _duration(utterance, info)
    if not (utterance.start >= 0 and duration >= SHORTEST_SECONDS):  # false as well where they are no numbers
        return OUTSIDE
    text = None
    if utterance.text is not None:
        text = reference_text(utterance.spoken or utterance.text, utterance.language)
        if not text:
            return EMPTY
    return _to_cut(utterance, info, duration, text)


def _duration(utterance: Utterance, info: AudioInfo) -> float:
    rest = info.duration - utterance.start
    return rest if utterance.duration is None else min(utterance.duration, round(rest, 8))


def _remark(utterance: Utterance, info: AudioInfo) -> str | None:
    end = utterance.start + (utterance.duration or 0)
    return SHORTENED if end > info.duration + TOLERANCE_SECONDS else None


def _to_cut(utterance: Utterance, info: AudioInfo, duration: float, text: str | None) -> MonoCut:
    name, custom = utterance.utterance_id, dict(utterance.custom)
    if utterance.text is not None:
        custom["raw_text"] = " ".join(utterance.text.split())
    recording_id = name if utterance.duration is None else utterance.recording.stem
    channels = list(range(info.num_channels))
    source = AudioSource("file", channels, str(utterance.recording))
    recording = Recording(recording_id, [source], info.sampling_rate, info.num_samples, info.duration)
    supervision = SupervisionSegment(
        name, recording_id, 0.0, duration, 0, text, utterance.language, utterance.speaker, utterance.gender
    )
    # Noise has neither words nor a speaker, and so no supervision.
    is_speech = text is not None or utterance.speaker is not None
    return MonoCut(
        name,
        utterance.start,
        duration,
        0,
        [supervision] if is_speech else [],
        recording=recording,
        custom=custom or None,
    )


@functools.cache
def _spells(language: str) -> bool:
    """Whether numbers can be written in words; that the package for it is missing is an error."""
    spell_numbers("1", "en")
    try:
        spell_numbers("1", language)
    except DataError:
        return False
    return True
