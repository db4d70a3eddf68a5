"""The judgement of one cut: its id, times, recording, texts and units."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sprachbund.data.checking.items import Item, Part
from sprachbund.data.checking.labels import expected_fingerprint, judge_labels
from sprachbund.data.checking.overlap import HeldOutSounds, Ids
from sprachbund.data.checking.problems import Fault
from sprachbund.data.checking.rules import Rules
from sprachbund.data.checking.sounds import Sound
from sprachbund.data.checking.texts import TextRules, comparable
from sprachbund.data.storage.waveforms import TOLERANCE_SECONDS

SILENT_PEAK = 1e-3
CLIPPED_SHARE = 1e-3


@dataclass(frozen=True)
class Manifest:
    """The cuts of one manifest."""

    path: Path
    items: Sequence[Item]
    is_held_out: bool

    @property
    def is_transcribed(self) -> bool:
        """Whether any cut has a text; speech without any is for pre-training."""
        return any(item.texts for item in self.items)

    @property
    def is_labelled(self) -> bool:
        """Whether any cut has units."""
        return any(item.labels for item in self.items)


class CutJudge:
    """Knows all manifests and recordings, and gives the faults of their cuts.

    Args:
        rules: of the check.
        manifests: held-out ones first, because the first cut of an id keeps it.
        sounds: every recording by its path.
    """

    def __init__(self, rules: Rules, manifests: Sequence[Manifest], sounds: Mapping[str, Sound]) -> None:
        held_out = [item for manifest in manifests if manifest.is_held_out for item in manifest.items]
        self.rules, self.sounds = rules, sounds
        self.text_rules = rules.of_training_texts(comparable(text for item in held_out for text in item.texts))
        self._held_out_text_rules = rules.of_held_out_texts()
        self._held_out_sounds = HeldOutSounds(held_out, sounds)
        self._ids = Ids()
        labels = (item.labels for manifest in manifests for item in manifest.items)
        self._fingerprint = expected_fingerprint(labels, rules.units)

    def judge(self, manifest: Manifest) -> Iterator[tuple[Item, Fault]]:
        """The faults of all cuts of a manifest; each manifest is judged once."""
        is_transcribed = manifest.is_transcribed
        is_labelled = manifest.is_labelled or (self.rules.units is not None and not manifest.is_held_out)
        for item in manifest.items:
            yield from ((item, fault) for fault in self._shared(item, manifest.is_held_out))
            yield from ((item, fault) for fault in self._recordings(item, manifest.is_held_out))
            yield from ((item, fault) for fault in self._texts(item, manifest.is_held_out, is_transcribed))
            yield from ((item, fault) for fault in self._labels(item, is_labelled))

    def _shared(self, item: Item, is_held_out: bool) -> Iterator[Fault]:
        """What the cut shares with others."""
        faults = (self._ids.judge(item), None if is_held_out else self._held_out_sounds.judge(item))
        yield from (fault for fault in faults if fault is not None)

    def _recordings(self, item: Item, is_held_out: bool) -> Iterator[Fault]:
        limit = None if is_held_out else self.rules.max_seconds
        if limit is not None and item.duration > limit:
            yield Fault("too-long", f"{item.duration:.3f} s")
        if item.foreign is not None:
            yield Fault("no-recording", f"its source: {item.foreign}")
        for part in item.parts:
            yield from judge_part(part, self.sounds[part.path], self.rules.rate)

    def _texts(self, item: Item, is_held_out: bool, is_transcribed: bool) -> Iterator[Fault]:
        if is_transcribed and len(item.texts) != 1:
            yield Fault("no-transcript", f"{len(item.texts)} texts")
        rules: TextRules = self._held_out_text_rules if is_held_out else self.text_rules
        for text in item.texts:
            yield from rules.judge(text)

    def _labels(self, item: Item, is_labelled: bool) -> Iterator[Fault]:
        if item.labels is None:
            yield from [Fault("no-labels", "no array of units")] if is_labelled else []
            return
        num_units = None if self.rules.units is None else self.rules.units.num_units
        yield from judge_labels(item.labels, item.duration, self._seconds(item), self._fingerprint, num_units)

    def _seconds(self, item: Item) -> float | None:
        """Of the whole recording, where it could be read and is taken as it is."""
        if len(item.parts) != 1 or item.parts[0].declared is None:
            return None
        sound = self.sounds[item.parts[0].path]
        return None if sound.damage is not None else sound.seconds


def judge_part(part: Part, sound: Sound, rate: int | None) -> Iterator[Fault]:
    """Faults of a recording, and of what a cut takes of it.

    Args:
        part: what the cut takes.
        sound: what is in the file.
        rate: the one expected; any where None.
    """
    if sound.damage is not None:
        yield sound.damage
        return
    if part.declared is not None:
        if part.end > sound.seconds + TOLERANCE_SECONDS:
            yield Fault("ends-after-recording", f"{part.end:.3f} s of {sound.seconds:.3f} s")
        found = (sound.sampling_rate, sound.num_samples, sound.num_channels)
        is_other_length = abs(found[1] - part.declared[1]) > TOLERANCE_SECONDS * sound.sampling_rate
        if found[0] != part.declared[0] or is_other_length or found[2] != part.declared[2]:
            told = ("{} Hz, {} samples, {} channels".format(*each) for each in (found, part.declared))
            yield Fault("not-as-declared", "{}; declared are {}".format(*told))
    if rate is not None and sound.sampling_rate != rate:
        yield Fault("wrong-rate", f"{sound.sampling_rate} Hz, expected {rate} Hz")
    if sound.num_channels > 1:
        yield Fault("several-channels", f"{sound.num_channels} channels")
    if sound.peak is not None and sound.peak < SILENT_PEAK:
        yield Fault("silent", f"peak {sound.peak:.2g}")
    if sound.at_full_scale is not None and sound.at_full_scale > CLIPPED_SHARE:
        yield Fault("clipped", f"{sound.at_full_scale:.2%} of the samples")
