"""What manifests share: ids, and the sound of held-out sets."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from sprachbund.data.checking.items import Item, Part
from sprachbund.data.checking.problems import Fault
from sprachbund.data.checking.sounds import Sound
from sprachbund.data.storage.waveforms import TOLERANCE_SECONDS


class Ids:
    """The first cut of every id."""

    def __init__(self) -> None:
        self._first: dict[str, Item] = {}

    def judge(self, item: Item) -> Fault | None:
        """The fault of a cut whose id was there before; the first one has none."""
        first = self._first.setdefault(item.id, item)
        if first is item:
            return None
        is_copy = replace(first, file=item.file, line=item.line) == item
        likeness = "the same cut" if is_copy else "another cut"
        return Fault("duplicate-id", f"{likeness} is in {first.file}, line {first.line}")


class HeldOutSounds:
    """Stretches of sound that may not be trained on.

    Recordings are the same where they are one file, or where their decoded samples are equal, under whatever name and
    in whatever lossless container. Cuts of one recording overlap where they share some of its time.
    """

    def __init__(self, items: Iterable[Item], sounds: Mapping[str, Sound]) -> None:
        self._sounds = sounds
        self._parts: defaultdict[str, list[tuple[Item, Part]]] = defaultdict(list)
        for item in items:
            for part in item.parts:
                for key in self._keys(part):
                    self._parts[key].append((item, part))

    def judge(self, item: Item) -> Fault | None:
        """The fault of a cut that shares sound with a held-out one."""
        for part in item.parts:
            for key in self._keys(part):
                for other, held_out in self._parts.get(key, ()):
                    shared = min(part.end, held_out.end) - max(part.start, held_out.start)
                    if shared > min(TOLERANCE_SECONDS, (part.end - part.start) / 2):
                        return Fault(
                            "held-out-audio", f"it shares sound with {other.id} ({other.file}, line {other.line})"
                        )
        return None

    def _keys(self, part: Part) -> list[str]:
        digest = self._sounds[part.path].digest
        return [part.path] if digest is None else [part.path, digest]
