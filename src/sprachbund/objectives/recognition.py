"""Speech to text: cross entropy of the decoder and CTC on the encoder (SpeechT5, section 3.2), or one of them alone."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from sprachbund.data.batches.batch import TranscribedBatch
from sprachbund.errors import RecipeError
from sprachbund.models.encoded import EncodedSpeech
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.models.text_decoding import TextDecoding
from sprachbund.objectives.loss import Figure, Loss, LossTerm
from sprachbund.objectives.text import END, PADDING, ctc_loss, impossible_rows, token_cross_entropy


@dataclass(frozen=True, kw_only=True)
class RecognitionConfig:
    """Weights of the terms; a weight of 0 removes its term and whatever only it needs."""

    decoder_weight: float = 0.5
    """Cross entropy of the decoder."""
    ctc_weight: float = 0.5
    """Connectionist temporal classification on the encoder."""
    label_smoothing: float = 0.1
    """Probability that the cross entropy spreads over wrong tokens."""
    normalize_by: Literal["sentences", "tokens"] = "sentences"
    """What the sums are divided by; tokens do not include the end of sentence."""
    zero_infinity: bool = True
    """Utterances with fewer frames than tokens count as zero in CTC."""
    blank: int | None = None
    """Id of the CTC blank; None for the model's own."""
    freeze_encoder_steps: int = 0
    """Optimizer steps in which the encoder and its prenet learn nothing; the CTC head does."""


class Recognition(nn.Module):
    """Speech in, its transcript or translation out.

    Args:
        model: any with what the weights need, a text decoder or a CTC head; its codebook is not used.
        config: the weights.

    Raises:
        RecipeError: the model lacks one of them.
    """

    def __init__(self, model: SpeechEncoder, config: RecognitionConfig | None = None) -> None:
        super().__init__()
        self.model = model
        self.config = RecognitionConfig() if config is None else config
        self.is_encoder_frozen = self.config.freeze_encoder_steps > 0
        if self.config.decoder_weight and not model.has_text_decoder:
            raise RecipeError(
                "the model has no text decoder",
                given=f"decoder_weight: {self.config.decoder_weight}",
                mend="Set objective.decoder_weight to 0: CTC alone trains an encoder.",
            )
        if self.config.ctc_weight and model.ctc_head is None:
            mend = "Set objective.ctc_weight to 0, or begin with a model that knows text."
            raise RecipeError("the model has no CTC head", given=f"ctc_weight: {self.config.ctc_weight}", mend=mend)

    def set_step(self, step: int) -> None:
        """Tell the number of optimizer steps so far."""
        self.model.set_step(step)
        self.is_encoder_frozen = step < self.config.freeze_encoder_steps

    def forward(self, batch: TranscribedBatch) -> Loss:
        """The loss of one micro-batch."""
        encoded = self._encode(batch)
        count = self._count(batch)
        terms: list[LossTerm] = []
        figures: dict[str, Figure] = {}
        if self.config.decoder_weight:
            assert isinstance(self.model, TextDecoding)
            logits = self.model.decode_text(batch.decoder_input, encoded)
            tokens = token_cross_entropy(logits, batch.targets, self.config.label_smoothing)
            terms.append(LossTerm("decoder", self.config.decoder_weight, tokens.smoothed, count))
            figures["token_accuracy"] = (tokens.correct, tokens.num_tokens)
        if self.config.ctc_weight:
            terms.append(LossTerm("ctc", self.config.ctc_weight, self._ctc(encoded, batch), count))
            figures["impossible"] = (impossible_rows(batch.targets, encoded.lengths), float(len(batch.targets)))
        return Loss(tuple(terms), figures)

    def counts(self, batch: TranscribedBatch) -> dict[str, float]:
        """The count of every term of `forward`, from the batch alone."""
        weights = {"decoder": self.config.decoder_weight, "ctc": self.config.ctc_weight}
        return {name: self._count(batch) for name, weight in weights.items() if weight}

    def _encode(self, batch: TranscribedBatch) -> EncodedSpeech:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.is_encoder_frozen):
            return self.model.encode_speech(
                batch.waveforms,
                batch.waveform_lengths,
                time_mask=batch.time_mask,
                channel_mask=batch.channel_mask,
            )

    def _ctc(self, encoded: EncodedSpeech, batch: TranscribedBatch) -> torch.Tensor:
        logits = self.model.ctc_logits(encoded)
        blank = self.model.config.blank if self.config.blank is None else self.config.blank
        assert blank is not None, "a model with a CTC head has a blank"
        return ctc_loss(logits, encoded.lengths, batch.targets, blank=blank, zero_infinity=self.config.zero_infinity)

    def _count(self, batch: TranscribedBatch) -> float:
        if self.config.normalize_by == "sentences":
            return float(len(batch.targets))
        return float(((batch.targets != PADDING) & (batch.targets != END)).sum())
