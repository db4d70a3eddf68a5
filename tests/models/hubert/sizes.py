"""Speech encoders small enough for tests, in the kinds that exist."""

from dataclasses import replace
from typing import Any

import torch

from sprachbund.models.hubert.config import HubertConfig
from sprachbund.models.hubert.model import Hubert
from sprachbund.models.speech_encoder import waveform_layers
from sprachbund.nn.transformer import StackConfig

NUM_UNITS, VOCAB_SIZE = 11, 7
STACK = StackConfig(dim=24, ffn_dim=40, num_layers=3, num_heads=3, layerdrop=0.0, max_relative_distance=None)


def small_config(**changes: Any) -> HubertConfig:
    config = HubertConfig(
        encoder=STACK,
        num_units=NUM_UNITS,
        vocab_size=VOCAB_SIZE,
        conv_layers=waveform_layers(12),
        position_kernel=8,
        position_groups=4,
        unit_dim=9,
    )
    return replace(config, **changes)


KINDS: dict[str, dict[str, Any]] = {
    "post_norm": {},
    "pre_norm": {"encoder": replace(STACK, norm_first=True), "conv_norm": "layer", "conv_bias": True},
    "gated_bias": {"encoder": replace(STACK, bias_buckets=8, max_bias_distance=6)},
    "pre_norm_gated_bias": {"encoder": replace(STACK, norm_first=True, bias_buckets=8, max_bias_distance=6)},
    "relative_table": {"encoder": replace(STACK, max_relative_distance=4)},
    "stacked_positions": {"position_depth": 3, "position_kernel": 5, "conv_norm": "layer"},
    "no_feature_norm": {"has_feature_norm": False, "has_speech_sinusoids": True},
}


def build(seed: int = 0, **changes: Any) -> Hubert:
    """A model whose weights are large enough for differences to show, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Hubert(small_config(**changes)).eval()
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if weight.dim() > 1 and "positions" not in name and "frontend" not in name:
                    weight.mul_(5.0)
                elif "norm" in name:
                    weight.add_(0.3 * torch.randn_like(weight))
    return model
