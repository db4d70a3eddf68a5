"""Writing one sequence of tokens after reading another: cross entropy of every target given those before it."""

from dataclasses import dataclass

from torch import nn

from sprachbund.config import Probability
from sprachbund.data.batches.batch import SequenceBatch
from sprachbund.models.sequence.model import SequenceModel
from sprachbund.objectives.loss import Loss, LossTerm
from sprachbund.objectives.text import PADDING, token_cross_entropy


@dataclass(frozen=True, kw_only=True)
class SequenceWritingConfig:
    """What the loss is made of."""

    label_smoothing: Probability = 0.1
    """Probability that the cross entropy spreads over wrong tokens."""


class SequenceWriting(nn.Module):
    """Tokens in, tokens out; the loss is the mean over targets, their end included."""

    def __init__(self, model: SequenceModel, config: SequenceWritingConfig | None = None) -> None:
        super().__init__()
        self.model = model
        self.config = SequenceWritingConfig() if config is None else config

    def set_step(self, step: int) -> None:
        """Tell the number of optimizer steps so far; nothing here follows it."""

    def forward(self, batch: SequenceBatch) -> Loss:
        """The loss of one micro-batch."""
        memory = self.model.encode_text(batch.tokens, batch.token_lengths)
        logits = self.model.decode_text(batch.decoder_input, memory)
        tokens = token_cross_entropy(logits, batch.targets, self.config.label_smoothing)
        term = LossTerm("tokens", 1.0, tokens.smoothed, self._count(batch))
        return Loss((term,), {"token_accuracy": (tokens.correct, tokens.num_tokens)})

    def counts(self, batch: SequenceBatch) -> dict[str, float]:
        """The count of every term of `forward`, from the batch alone."""
        return {"tokens": self._count(batch)}

    def _count(self, batch: SequenceBatch) -> float:
        return float((batch.targets != PADDING).sum())
