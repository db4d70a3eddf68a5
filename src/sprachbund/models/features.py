"""Frames of speech from layers of an encoder: what units are clusters of, and what probes read.

A waveform is read alone, so nothing depends on batches.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sprachbund.checkpoints.store import load_model, weights_fingerprint
from sprachbund.lengths import frames_from_samples
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.models.table import build_model, kind_of
from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.signal.features import normalize_waveform


class EncoderFeatures:
    """States after a layer of a speech encoder.

    Args:
        model: in evaluation mode from here on.
        layer: 0 for what the first layer reads, k for the output of layer k.

    Raises:
        RecipeError: the encoder has no such layer.
    """

    def __init__(self, model: SpeechEncoder, layer: int) -> None:
        model.require_layer(layer)
        self.model, self.layer = model.eval(), layer
        self.name = f"{kind_of(model)}:{encoder_fingerprint(model)[:16]}:{layer}"
        self.num_channels = model.dim
        strides = [stride for _, _, stride in model.config.conv_layers]
        self.frame_shift = float(torch.tensor(strides).prod()) / SAMPLING_RATE

    def __call__(self, waveform: Float[Array, " sample"]) -> Float[Array, "frame channel"]:
        """Frames (float32) of a 16 kHz waveform; none where it is shorter than one."""
        return read_layers(self.model, [self.layer], waveform)[0]


@torch.no_grad()
def read_layers(
    model: SpeechEncoder, layers: Sequence[int], waveform: Float[Array, " sample"]
) -> list[Float[Array, "frame channel"]]:
    """Frames (float32) of several layers from one pass through the encoder; none where the waveform has no frame."""
    if frames_from_samples(len(waveform), model.speech_prenet.frontend.strides) == 0:
        return [np.zeros((0, model.dim), dtype=np.float32) for _ in layers]
    if model.config.is_normalized:
        waveform = normalize_waveform(waveform)
    batch = torch.from_numpy(waveform).float()[None].to(next(model.parameters()).device)
    states = model.layer_states(batch, torch.tensor([batch.shape[1]], device=batch.device), layers)
    return [layer[0].float().cpu().numpy() for layer in states.states]


def encoder_fingerprint(model: SpeechEncoder) -> str:
    """SHA-256 (hexadecimal) of weights and configuration.

    Settings at their default are left out, so that a setting of a later version, at the default that keeps its models
    as they are, changes no name.
    """
    settings = json.dumps(_changed_settings(model.config), sort_keys=True)
    return hashlib.sha256((settings + weights_fingerprint(model.state_dict())).encode()).hexdigest()


def _changed_settings(config: Any) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for setting in fields(config):
        value = getattr(config, setting.name)
        if is_dataclass(value):
            changed[setting.name] = _changed_settings(value)
        elif value != setting.default:
            changed[setting.name] = value
    return changed


def load_encoder(folder: Path) -> SpeechEncoder:
    """The speech encoder in a model folder.

    Raises:
        CheckpointError: the folder is not a sound model folder.
    """
    return build_model(load_model(folder), where=str(folder))
