"""HuBERT (Hsu et al., 2021): a speech encoder that predicts the units of frames it cannot hear."""

from torch import nn

from sprachbund.models.hubert.config import HubertConfig
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.nn.contrastive import ContrastiveHead
from sprachbund.nn.initialization import initialize_like_bert


class Hubert(SpeechEncoder):
    """The encoder, with unit prediction, a CTC head and a contrastive head where the configuration has them."""

    config: HubertConfig

    def __init__(self, config: HubertConfig) -> None:
        super().__init__(config, config.num_units, positions_see_padding=False)
        self.ctc_head = None if config.vocab_size is None else nn.Linear(config.encoder.dim, config.vocab_size)
        initialize_like_bert(self)
        # Its weights begin otherwise.
        self.contrastive_head: ContrastiveHead | None = None
        if config.contrastive is not None:
            channels, dim = config.conv_layers[-1][0], config.encoder.dim
            self.contrastive_head = ContrastiveHead(channels, dim, config.contrastive)

    def set_step(self, step: int) -> None:
        """The temperature of the quantizer falls with the steps."""
        if self.contrastive_head is not None:
            self.contrastive_head.quantizer.set_step(step)
