"""SpeechUT (Zhang et al., EMNLP 2022): speech encoder, unit encoder, text decoder, bridged by hidden units."""

from torch import nn

from sprachbund.models.speech_units.model import SpeechUnitModel
from sprachbund.models.speechut.config import SpeechUTConfig


class SpeechUT(SpeechUnitModel):
    """The model; at the top it tells units by a linear map."""

    config: SpeechUTConfig
    top_predictor: nn.Linear | None

    def __init__(self, config: SpeechUTConfig) -> None:
        super().__init__(config)
        self.top_predictor = None
        if config.num_units is not None:
            self.top_predictor = nn.Linear(config.unit_encoder.dim, config.num_units)
