"""Features of a frozen encoder beside the cuts: one array a cut and layer, computed once and read by many probes.

An array is kept under what it depends on: the fingerprint of the weights, the layer, and all that the manifest says of
the recording and the part of it. Changed sound under an unchanged name is not seen.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from lhotse import MonoCut
from lhotse.array import Array as ArrayManifest
from lhotse.array import TemporalArray
from lhotse.cut import Cut
from lhotse.utils import fastcopy

from sprachbund.data.frame_reader import MfccFrames
from sprachbund.data.storage.waveforms import read_waveform, require_own_recording
from sprachbund.errors import CheckpointError, RecipeError
from sprachbund.files import write_atomically
from sprachbund.lengths import frames_from_samples
from sprachbund.models.features import EncoderFeatures, read_layers
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.shapes import Array, Float

NAME_SUFFIX = "_name"
_LARGEST_HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True, eq=False)
class LayerFeatures:
    """What is read of a waveform in one go: the features of one or more layers over the same frames."""

    names: tuple[str, ...]  # what each depends on: kind, fingerprint of the weights, layer
    fields: tuple[str, ...]  # what each is called on a cut
    frame_shift: float  # seconds
    num_channels: int
    read: Callable[[Float[Array, " sample"]], Sequence[Float[Array, "frame channel"]]]  # one array a layer

    @property
    def num_layers(self) -> int:
        """Arrays that `read` gives."""
        return len(self.names)


def encoder_features(model: SpeechEncoder, layers: Sequence[int] | None = None) -> LayerFeatures:
    """Layers of an encoder, all of them where none are named: 0 is what the first layer reads, k what layer k gives.

    Raises:
        RecipeError: the encoder has no such layer, or one is named twice.
    """
    wanted = range(model.num_layers + 1) if layers is None else layers
    if not wanted or len(set(wanted)) < len(wanted) or not set(wanted) <= set(range(model.num_layers + 1)):
        raise RecipeError(
            "the encoder has no such layers",
            given=", ".join(map(str, wanted)),
            mend=f"Name layers from 0 to {model.num_layers}, each once.",
        )
    # One reader tells what all have in common; its own layer is the first.
    reader = EncoderFeatures(model, wanted[0])
    encoder = reader.name.rpartition(":")[0]
    return LayerFeatures(
        names=tuple(f"{encoder}:{layer}" for layer in wanted),
        fields=tuple(f"layer_{layer}" for layer in wanted),
        frame_shift=reader.frame_shift,
        num_channels=reader.num_channels,
        read=partial(read_layers, model, tuple(wanted)),
    )


def mfcc_features() -> LayerFeatures:
    """The 39 channels every 10 ms that the first units are made of."""
    reader = MfccFrames()
    return LayerFeatures(
        (reader.name,), ("mfcc",), reader.frame_shift, reader.num_channels, lambda waveform: [reader(waveform)]
    )


def paired_mfcc_features() -> LayerFeatures:
    """MFCC at an encoder's rate: two frames side by side, as many pairs as an encoder gives frames."""
    reader = MfccFrames()

    def read(waveform: Float[Array, " sample"]) -> list[Float[Array, "frame channel"]]:
        num_frames = frames_from_samples(len(waveform))
        if num_frames == 0:
            return [np.zeros((0, 2 * reader.num_channels), dtype=np.float32)]
        return [reader(waveform)[: 2 * num_frames].reshape(num_frames, 2 * reader.num_channels)]

    return LayerFeatures(
        (f"{reader.name}-pairs",), ("mfcc_pairs",), 2 * reader.frame_shift, 2 * reader.num_channels, read
    )


def untrained(model: SpeechEncoder, seed: int) -> SpeechEncoder:
    """An encoder of the same configuration whose weights are drawn anew; it has heard nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh: SpeechEncoder = type(model)(model.config).eval()
    return fresh


@dataclass(frozen=True, eq=False)
class FeatureStore:
    """Where the features of cuts are kept, below one folder.

    Each array has its own file, written whole, so that an interrupted run goes on where it was.
    """

    features: LayerFeatures
    folder: Path
    is_single: bool = False
    """Keep float32; else float16, but for a cut whose numbers float16 cannot hold."""

    def paths(self, cut: Cut) -> tuple[Path, ...]:
        """The files of a cut, one a layer."""
        return tuple(self._root(name) / _key(cut) for name in self.features.names)

    def keep(self, cut: Cut) -> int:
        """Make sure that the features of `cut` are stored, and return how many frames they have.

        Raises:
            DataError: a cut that is no part of a recording in a file.
            AudioError: the recording cannot be read.
            CheckpointError: the encoder gives what is not a number.
        """
        paths = self.paths(cut)
        stored = {self._stored_frames(path) for path in paths}
        if len(stored) == 1 and (known := stored.pop()) is not None:
            return known
        require_own_recording(cut, "features could travel with")
        waveform = read_waveform(cut)
        arrays = self.features.read(waveform)
        for name, path, array in zip(self.features.names, paths, arrays, strict=True):
            if not np.isfinite(array).all():
                raise CheckpointError(
                    "the features are not all numbers",
                    where=f"cut {cut.id}",
                    given=name,
                    mend="Take an earlier checkpoint; the training that made this one has diverged.",
                )
            fits = not self.is_single and (array.size == 0 or np.abs(array).max() <= _LARGEST_HALF)
            with write_atomically(path) as handle:
                np.save(handle, array.astype(np.float16 if fits else np.float32), allow_pickle=False)
        return len(arrays[0])

    def attach(self, cut: Cut) -> Cut:
        """The cut with a custom field a layer, whose array Lhotse loads; a truncated cut loads that of its part.

        Beside the field `layer_3` stands `layer_3_name`, which tells the encoder by its fingerprint.

        Raises:
            DataError: a cut that is no part of a recording in a file.
            AudioError: the recording cannot be read.
        """
        num_frames = self.keep(cut)
        custom = dict(cut.custom or {})
        for name, field in zip(self.features.names, self.features.fields, strict=True):
            shape = [num_frames, self.features.num_channels]
            stored = ArrayManifest("numpy_files", str(self._root(name)), _key(cut), shape)
            custom[field] = TemporalArray(stored, 0, self.features.frame_shift, cut.start)
            custom[field + NAME_SUFFIX] = name
        return fastcopy(cut, custom=custom)

    def _root(self, name: str) -> Path:
        return self.folder.resolve() / name.replace(":", "-")

    def _stored_frames(self, path: Path) -> int | None:
        """The number of frames of a stored array; None where there is none that can be used."""
        try:
            stored = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, EOFError, ValueError):
            return None
        kinds = (np.float32,) if self.is_single else (np.float16, np.float32)
        is_usable = stored.ndim == 2 and stored.shape[1] == self.features.num_channels and stored.dtype in kinds
        return len(stored) if is_usable else None


def _key(cut: Cut) -> str:
    """The name of a cut's arrays, from all that the manifest says of its sound."""
    told: list[object] = [cut.id, cut.start, cut.duration]
    if isinstance(cut, MonoCut) and cut.recording is not None:
        recording = cut.recording.to_dict()
        for source in recording["sources"]:
            # One file, whichever way the folders of two manifests lead to it.
            source["source"] = str(Path(source["source"]).resolve()) if source["type"] == "file" else source["source"]
        told += [cut.channel, recording]
    digest = hashlib.blake2b(json.dumps(told, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()
    return f"{digest[:2]}/{digest}.npy"
