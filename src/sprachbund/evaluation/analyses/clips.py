"""Clips that carry units and phones, and what the Transformer that speech and units share makes of both."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from lhotse.cut import Cut
from lhotse.utils import fastcopy

from sprachbund.checkpoints.store import load_model
from sprachbund.data.phones import is_aligned, phones_of_labels
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.data.units import load_units, require_units
from sprachbund.errors import CheckpointError, DataError, VocabularyError
from sprachbund.lengths import frames_from_samples, samples_per_frame
from sprachbund.models.features import read_layers
from sprachbund.models.speech_units.model import SpeechUnitModel
from sprachbund.models.speechut.model import SpeechUT
from sprachbund.models.table import build_model
from sprachbund.shapes import Array, Float, Int
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.phone_labels import UnitLabels
from sprachbund.tokens.vocabulary import EOS, SPECIAL_SYMBOLS

SAME_LENGTH = 0.02  # seconds that two cuts of one clip may differ in


@dataclass(frozen=True, eq=False)
class PhonedClip:
    """A clip as speech and as units, with the phone that is spoken at each frame and each unit."""

    id: str
    waveform: Float[Array, " sample"]
    frame_phones: tuple[str | None, ...]  # plain; None outside the alignment
    units: Int[Array, " unit"]  # counted from 0
    unit_phones: tuple[str | None, ...]

    def rotated(self) -> "PhonedClip":
        """The same with its units in another order: the second half before the first."""
        half = len(self.units) // 2
        return replace(
            self, units=np.roll(self.units, -half), unit_phones=self.unit_phones[half:] + self.unit_phones[:half]
        )


@dataclass(frozen=True)
class ChosenCuts:
    """The cuts that an analysis looks at, in an order that their ids decide, and how many it cannot use."""

    cuts: tuple[Cut, ...]
    left_out: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class SharedTransformer:
    """A model whose upper Transformer reads speech and units, and the units that it reads.

    Args:
        model: in evaluation mode.
        labels: what its units are.
        is_reduced: it reads runs of equal units as one.
    """

    model: SpeechUnitModel
    labels: UnitLabels
    is_reduced: bool

    @classmethod
    def load(cls, folder: Path, labels: UnitLabels, is_reduced: bool | None = None) -> "SharedTransformer":
        """That of a model folder.

        Args:
            folder: of a model that was pre-trained with units.
            labels: the unit model or the phone labels that it was pre-trained with.
            is_reduced: None for what the papers do: SpeechUT reduces the units it reads, SpeechLM does not.

        Raises:
            CheckpointError: the folder is no sound model folder, or of a model that reads no units.
            VocabularyError: it has learned other units.
        """
        stored = load_model(folder)
        model = build_model(stored, str(folder))
        if not isinstance(model, SpeechUnitModel) or model.config.num_units is None:
            raise CheckpointError(
                "this model has no Transformer that reads both speech and units",
                where=folder,
                given=f"{stored.kind}, {stored.facts.get('stage', 'unknown stage')}",
                mend="Name a SpeechLM or SpeechUT that was pre-trained and not yet fine-tuned.",
            )
        _require_labels(folder, model, labels, stored.facts.get("unit_model"))
        return cls(model, labels, isinstance(model, SpeechUT) if is_reduced is None else is_reduced)

    @property
    def strides(self) -> tuple[tuple[int, int], ...]:
        """Kernel and stride of each convolution that the model reads speech with."""
        return tuple(self.model.speech_prenet.frontend.strides)

    @property
    def frame_shift(self) -> float:
        """Seconds between two frames of speech."""
        return samples_per_frame(self.strides) / SAMPLING_RATE

    @property
    def layers(self) -> tuple[int, ...]:
        """Numbers of the shared layers, counted on from those of the speech Transformer."""
        return tuple(range(len(self.model.encoder.layers) + 1, self.model.num_layers + 1))

    def choose(self, cuts: Iterable[Cut], count: int) -> ChosenCuts:
        """At most `count` cuts that can be looked at, by a hash of their ids.

        Raises:
            VocabularyError: a cut has no units, or others than the model has learned.
            DataError: no cut can be used.
        """
        used, left_out = list[Cut](), Counter[str]()
        for cut in cuts:
            require_units(cut, self.labels.fingerprint)
            reason = self._reason(cut)
            if reason is None:
                used.append(cut)
            else:
                left_out[reason] += 1
        if not used:
            given = ", ".join(f"{number} cuts {reason}" for reason, number in sorted(left_out.items())) or "no cuts"
            mend = "Align the manifest first: `sprachbund tokens align`, or name an aligned one with --aligned."
            raise DataError("no cut can be analysed", given=given, mend=mend)
        used.sort(key=lambda cut: (hashlib.blake2b(cut.id.encode(), digest_size=8).digest(), cut.id))
        return ChosenCuts(tuple(used[:count]), dict(left_out))

    def _reason(self, cut: Cut) -> str | None:
        """Why a cut cannot be used; None where it can."""
        if not is_aligned(cut):
            return "without phones"
        num_frames = frames_from_samples(round(cut.duration * SAMPLING_RATE), self.strides)
        if num_frames == 0:
            return "shorter than a frame"
        most = self.model.config.max_unit_positions
        longest = max(num_frames, round(cut.duration * self.labels.label_rate) + 2)
        return None if most is None or longest <= most else "longer than the model has positions"

    def read(self, cut: Cut) -> PhonedClip:
        """A chosen cut.

        Raises:
            AudioError: its recording cannot be read.
            DataError: its units cannot be read.
        """
        waveform = read_waveform(cut)
        units = load_units(cut, self.labels.fingerprint).astype(np.int64)
        if not len(units):
            raise DataError("a cut has no single unit", where=f"cut {cut.id}", mend="Label the manifest anew.")
        phones = phones_of_labels(cut, len(units), self.labels.frame_shift)
        if self.is_reduced:
            units, phones = reduced(units, phones)
        num_frames = frames_from_samples(len(waveform), self.strides)
        spoken = phones_of_labels(cut, num_frames, self.frame_shift)
        return PhonedClip(cut.id, waveform, tuple(spoken), units, tuple(phones))

    def speech_states(self, clip: PhonedClip) -> list[Float[Array, "frame dim"]]:
        """States of the clip's speech after each shared layer."""
        return read_layers(self.model, self.layers, clip.waveform)

    @torch.no_grad()
    def unit_states(self, clip: PhonedClip) -> list[Float[Array, "unit dim"]]:
        """States of the clip's units after each shared layer, which reads no speech for them.

        The units end with ``</s>``, as those of text did in pre-training; its states are left out.
        """
        ids = torch.from_numpy(np.append(clip.units + len(SPECIAL_SYMBOLS), EOS))[None]
        states = self.model.unit_layer_states(ids, torch.tensor([ids.shape[1]]), self.layers).states
        return [layer[0, :-1].float().numpy() for layer in states]


def with_alignments(cuts: Iterable[Cut], aligned: Iterable[Cut]) -> list[Cut]:
    """Cuts with the supervisions of those of the same id in `aligned`, where there is one of the same length."""
    found = {cut.id: cut for cut in aligned}
    return [
        fastcopy(cut, supervisions=found[cut.id].supervisions)
        if cut.id in found and abs(found[cut.id].duration - cut.duration) < SAME_LENGTH
        else cut
        for cut in cuts
    ]


def reduced(units: Int[Array, " unit"], phones: Sequence[str | None]) -> tuple[Int[Array, " run"], list[str | None]]:
    """One of each run of equal units, of which there are some, and the phone in the middle of the run."""
    starts = np.flatnonzero(np.diff(units, prepend=units[0] - 1))
    ends = np.append(starts[1:], len(units))
    return units[starts], [phones[(start + end - 1) // 2] for start, end in zip(starts, ends, strict=True)]


def _require_labels(folder: Path, model: SpeechUnitModel, labels: UnitLabels, learned: object) -> None:
    """Refuse units that the model has not learned, as far as its folder tells."""
    mend = "Name the folder of the unit model or the phone labels that it was pre-trained with."
    if learned is not None and learned != labels.fingerprint:
        raise VocabularyError(
            "the model has learned other units",
            where=folder,
            given=f"fingerprint {labels.fingerprint[:16]}, expected {str(learned)[:16]}",
            mend=mend,
        )
    num_entries = labels.num_units + len(SPECIAL_SYMBOLS)
    # Converted models have a mask behind their units.
    if model.config.num_units not in (num_entries, num_entries + 1):
        raise VocabularyError(
            "the model has another number of units",
            where=folder,
            given=f"{labels.num_units} units, the model has {(model.config.num_units or 0) - len(SPECIAL_SYMBOLS)}",
            mend=mend,
        )
    if model.config.unit_rate != labels.label_rate:
        raise VocabularyError(
            "the model has learned units of another rate",
            where=folder,
            given=f"{labels.label_rate:g} a second, the model has {model.config.unit_rate:g}",
            mend=mend,
        )
