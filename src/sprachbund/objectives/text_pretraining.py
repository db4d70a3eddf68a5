"""Pre-training on text: restoring noised lines (SpeechT5, section 2.2; BART, section 2.2)."""

from dataclasses import dataclass

from torch import nn

from sprachbund.data.batches.batch import TextBatch
from sprachbund.models.encoded import Encoded
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.objectives.codebook import codebook_counts, codebook_figures, codebook_terms, require_codebook
from sprachbund.objectives.loss import Figure, Loss, LossTerm
from sprachbund.objectives.text import PADDING, token_cross_entropy


@dataclass(frozen=True, kw_only=True)
class TextPretrainingConfig:
    """Weights of the terms; a weight of 0 removes its term and whatever only it needs."""

    text_weight: float = 1.0
    """Cross entropy of the tokens."""
    diversity_weight: float = 0.1
    """Share of the codebook that is not in use."""
    commitment_weight: float = 1.0
    """Distance of states and codes, with the nearest-neighbour rule."""
    use_codebook: bool = True
    """Mix codes into what the decoder reads."""


class TextPretraining(nn.Module):
    """Noised text in, the original out.

    Args:
        model: with a codebook where it is used.
        config: the weights.

    Raises:
        RecipeError: a codebook is wanted and the model has none.
    """

    def __init__(self, model: SpeechT5, config: TextPretrainingConfig | None = None) -> None:
        super().__init__()
        self.model = model
        self.config = TextPretrainingConfig() if config is None else config
        require_codebook(model, self.config.use_codebook)

    def set_step(self, step: int) -> None:
        """Tell the number of optimizer steps so far."""
        self.model.set_step(step)

    def forward(self, batch: TextBatch) -> Loss:
        """The loss of one micro-batch."""
        config = self.config
        terms: list[LossTerm] = []
        figures: dict[str, Figure] = {}
        memory: Encoded = self.model.encode_text(batch.tokens, batch.token_lengths)
        if config.use_codebook:
            mixed = self.model.mix_codes(memory, batch.codebook_positions, seed=batch.seed)
            memory = mixed.encoded
            terms.extend(codebook_terms(self.model, mixed.quantized, config.diversity_weight, config.commitment_weight))
            figures.update(codebook_figures(mixed.quantized))
        if config.text_weight:
            tokens = token_cross_entropy(self.model.decode_text(batch.decoder_input, memory), batch.targets)
            terms.append(LossTerm("text", config.text_weight, tokens.smoothed, float(tokens.num_tokens)))
            figures["token_accuracy"] = (tokens.correct, tokens.num_tokens)
        return Loss(tuple(terms), figures)

    def counts(self, batch: TextBatch) -> dict[str, float]:
        """The count of every term of `forward`, from the batch alone."""
        config = self.config
        counts: dict[str, float] = {}
        if config.use_codebook:
            counts.update(codebook_counts(self.model, config.diversity_weight, config.commitment_weight))
        if config.text_weight:
            counts["text"] = float((batch.targets != PADDING).sum())
        return counts
