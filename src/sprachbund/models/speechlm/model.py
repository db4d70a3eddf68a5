"""SpeechLM (Zhang et al. 2022): speech and text meet in a Transformer over phonemes or hidden units."""

from sprachbund.models.speech_units.model import SpeechUnitModel
from sprachbund.models.speechlm.config import SpeechLMConfig
from sprachbund.nn.prediction import UnitPredictor


class SpeechLM(SpeechUnitModel):
    """The model; at both places it tells units by the cosine with one learned vector each."""

    config: SpeechLMConfig
    top_predictor: UnitPredictor | None

    def __init__(self, config: SpeechLMConfig) -> None:
        super().__init__(config)
        self.top_predictor = None
        if config.num_units is not None:
            num_units = config.num_units if config.num_top_units is None else config.num_top_units
            dim = config.unit_encoder.dim
            self.top_predictor = UnitPredictor(dim, config.unit_dim, num_units, config.unit_temperature)
