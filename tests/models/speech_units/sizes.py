"""Models of speech and units small enough for tests, in the kinds that exist."""

from dataclasses import replace
from typing import Any

import torch

from sprachbund.models.speech_units.model import SpeechUnitModel
from sprachbund.models.speechlm.config import SpeechLMConfig
from sprachbund.models.speechlm.model import SpeechLM
from sprachbund.models.speechut.config import SpeechUTConfig
from sprachbund.models.speechut.model import SpeechUT
from sprachbund.nn.transformer import StackConfig

VOCAB_SIZE = 21
NUM_UNITS = 17
STACK = StackConfig(dim=24, ffn_dim=40, num_layers=2, num_heads=3, max_relative_distance=7, layerdrop=0.0)
DECODER = replace(STACK, dim=16, num_heads=2, max_relative_distance=3)
SIZES: dict[str, Any] = {
    "vocab_size": VOCAB_SIZE,
    "num_units": NUM_UNITS,
    "encoder": STACK,
    "unit_encoder": STACK,
    "conv_layers": ((12, 10, 5), *((12, 3, 2),) * 4, *((12, 2, 2),) * 2),
    "position_kernel": 8,
    "position_groups": 4,
    "unit_dim": 9,
    "max_unit_positions": 60,
}
PRE_NORM = replace(STACK, norm_first=True)

KINDS: dict[str, tuple[type[SpeechUnitModel], dict[str, Any]]] = {
    "speechlm": (SpeechLM, {}),
    "speechlm_large": (SpeechLM, {"encoder": PRE_NORM, "unit_encoder": PRE_NORM, "conv_norm": "layer"}),
    "speechlm_two_labels": (SpeechLM, {"num_top_units": 11, "decoder": replace(DECODER, norm_first=True)}),
    "speechut": (SpeechUT, {"decoder": DECODER}),
    "speechut_large": (
        SpeechUT,
        {
            "encoder": PRE_NORM,
            "conv_norm": "layer",
            "max_unit_positions": None,
            "decoder": replace(DECODER, norm_first=True, max_relative_distance=None),
            "scale_unit_embedding": True,
            "has_unit_embedding_norm": False,
            "has_decoder_embedding_norm": True,
            "scale_decoder_embedding": False,
            "share_decoder_embeddings": True,
        },
    ),
}


def build(kind: str, seed: int = 0, **changes: Any) -> SpeechUnitModel:
    """A model whose weights are large enough for differences to show, in evaluation."""
    torch.manual_seed(seed)
    model_class, own = KINDS[kind]
    config_class = SpeechLMConfig if model_class is SpeechLM else SpeechUTConfig
    model = model_class(config_class(**{**SIZES, **own, **changes}))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "positions" not in name and "frontend" not in name:
                weight.mul_(2.0)
            elif "norm" in name:
                weight.add_(0.3 * torch.randn_like(weight))
    return model.eval()
