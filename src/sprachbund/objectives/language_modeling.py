"""Language modelling: cross entropy of every token of a line given those before it."""

import math

from torch import nn

from sprachbund.data.batches.text_lines import TextLinesBatch
from sprachbund.models.language_model.model import TransformerLanguageModel
from sprachbund.objectives.loss import Loss, LossTerm
from sprachbund.objectives.text import PADDING, token_cross_entropy


class LanguageModeling(nn.Module):
    """Text in; the loss is the mean over tokens, the end of each line included.

    The perplexity of a token is two to the power of the figure ``bits_per_token``.
    """

    def __init__(self, model: TransformerLanguageModel) -> None:
        super().__init__()
        self.model = model

    def set_step(self, step: int) -> None:
        """Tell the number of optimizer steps so far; nothing here follows it."""

    def forward(self, batch: TextLinesBatch) -> Loss:
        """The loss of one micro-batch."""
        tokens = token_cross_entropy(self.model.predict_next(batch.tokens), batch.targets)
        term = LossTerm("tokens", 1.0, tokens.smoothed, self._count(batch))
        bits = tokens.smoothed.detach() / math.log(2)
        figures = {
            "bits_per_token": (bits, tokens.num_tokens),
            "token_accuracy": (tokens.correct, tokens.num_tokens),
        }
        return Loss((term,), figures)

    def counts(self, batch: TextLinesBatch) -> dict[str, float]:
        """The count of every term of `forward`, from the batch alone."""
        return {"tokens": self._count(batch)}

    def _count(self, batch: TextLinesBatch) -> float:
        return float((batch.targets != PADDING).sum())
