"""Pre-training on speech and text at once (SpeechT5, section 2.3): every stream's loss in one forward."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from sprachbund.data.batches.batch import Batch, SpeechBatch, TextBatch
from sprachbund.errors import DataError
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.objectives.loss import Loss, merge_losses
from sprachbund.objectives.speech_pretraining import SpeechPretraining, SpeechPretrainingConfig
from sprachbund.objectives.text_pretraining import TextPretraining, TextPretrainingConfig


@dataclass(frozen=True, kw_only=True)
class JointPretrainingConfig:
    """Weights of the streams and of their terms; a stream of weight 0 is not computed."""

    speech_weight: float = 1.0
    """Of all terms of speech."""
    text_weight: float = 1.0
    """Of all terms of text."""
    speech: SpeechPretrainingConfig = field(default_factory=SpeechPretrainingConfig)
    """Terms of speech."""
    text: TextPretrainingConfig = field(default_factory=TextPretrainingConfig)
    """Terms of text."""


class JointPretraining(nn.Module):
    """Takes a mapping of the streams "speech" and "text"; a stream that is not there is left out.

    Args:
        model: shared by both.
        config: the weights.

    Raises:
        RecipeError: the model lacks a part that the weights need.
    """

    def __init__(self, model: SpeechT5, config: JointPretrainingConfig | None = None) -> None:
        super().__init__()
        self.model = model
        self.config = JointPretrainingConfig() if config is None else config
        self.objectives = nn.ModuleDict()
        if self.config.speech_weight:
            self.objectives["speech"] = SpeechPretraining(model, self.config.speech)
        if self.config.text_weight:
            self.objectives["text"] = TextPretraining(model, self.config.text)

    def set_step(self, step: int) -> None:
        """Tell the number of optimizer steps so far."""
        self.model.set_step(step)

    def forward(self, batches: Mapping[str, Batch]) -> Loss:
        """The loss of one micro-batch of every stream."""
        weights = {"speech": self.config.speech_weight, "text": self.config.text_weight}
        chosen = self._chosen(batches)
        return merge_losses({stream: self.objectives[stream](batch) for stream, batch in chosen.items()}, weights)

    def counts(self, batches: Mapping[str, Batch]) -> dict[str, float]:
        """The count of every term of `forward`, from the batches alone."""
        counts: dict[str, float] = {}
        for stream, batch in self._chosen(batches).items():
            objective = self.objectives[stream]
            assert isinstance(objective, SpeechPretraining | TextPretraining)
            inner = objective.counts(batch)  # type: ignore[arg-type]
            counts.update({f"{stream}/{name}": count for name, count in inner.items()})
        return counts

    def _chosen(self, batches: Mapping[str, Batch]) -> dict[str, Batch]:
        kinds = {"speech": SpeechBatch, "text": TextBatch}
        for stream, batch in batches.items():
            if stream not in kinds or not isinstance(batch, kinds[stream]):
                raise DataError(
                    "a stream cannot be trained on jointly",
                    given=f"{stream}: {type(batch).__name__}",
                    mend="Name a stream of speech batches 'speech' and one of text batches 'text'.",
                )
        return {stream: batch for stream, batch in batches.items() if stream in self.objectives}
