"""Models small enough for tests, in the kinds that exist."""

from dataclasses import replace
from typing import Any

import torch

from sprachbund.models.speecht5.config import SpeechT5Config
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.nn.transformer import StackConfig

VOCAB_SIZE = 21
NUM_UNITS = 17
SPEAKER_DIM = 6

PRE_NORM = {"norm_first": True}


def small_config(**changes: Any) -> SpeechT5Config:
    stack = StackConfig(dim=24, ffn_dim=40, num_layers=2, num_heads=3, max_relative_distance=7, layerdrop=0.0)
    config = SpeechT5Config(
        vocab_size=VOCAB_SIZE,
        num_units=NUM_UNITS,
        encoder=stack,
        decoder=stack,
        conv_layers=((12, 10, 5), *((12, 3, 2),) * 4, *((12, 2, 2),) * 2),
        position_kernel=8,
        position_groups=4,
        num_mels=5,
        mel_prenet_dim=10,
        speaker_dim=SPEAKER_DIM,
        postnet_layers=3,
        postnet_channels=7,
        unit_dim=9,
        codes_per_group=5,
        num_speakers=4,
    )
    return replace(config, **changes)


def _pre_norm() -> dict[str, Any]:
    config = small_config()
    stack = replace(config.encoder, norm_first=True)
    return {"encoder": stack, "decoder": stack, "conv_norm": "layer", "conv_bias": True}


def _two_widths() -> dict[str, Any]:
    config = small_config()
    decoder = replace(config.decoder, dim=16, num_heads=2)
    return {"decoder": decoder, "share_embeddings": False, "scale_embedding": True, "has_embedding_norm": True}


KINDS: dict[str, dict[str, Any]] = {
    "post_norm": {},
    "pre_norm": _pre_norm(),
    "two_widths": _two_widths(),
    "one_frame_a_step": {"reduction_factor": 1, "has_postnet_norm": False, "postnet_kernel": 3},
    "three_frames_a_step": {"reduction_factor": 3, "quantizer_rule": "nearest", "codebook_groups": 3},
    "few_positions": {
        "has_speech_sinusoids": False,
        "initial_encoder_scale": None,
        "initial_decoder_scale": None,
        "position_kernel": 7,
        "has_speaker_norm": True,
        "speaker_embedding_dim": 8,
    },
    "no_projection": {"conv_layers": ((24, 10, 5), (24, 3, 2), (24, 8, 32)), "share_ctc_embeddings": True},
}


def build(seed: int = 0, **changes: Any) -> SpeechT5:
    """A model whose weights are large enough for differences to show."""
    torch.manual_seed(seed)
    model = SpeechT5(small_config(**changes))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "positions" not in name and "frontend" not in name:
                weight.mul_(5.0)
            elif "norm" in name:
                weight.add_(0.3 * torch.randn_like(weight))
    return model
