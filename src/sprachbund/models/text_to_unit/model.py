"""Text to hidden units, all at once (SpeechLM, Zhang et al. 2022: FastText2Unit; FastSpeech 2, Ren et al. 2021)."""

import torch
from torch import nn

from sprachbund.errors import CheckpointError
from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.models.text_to_unit.config import TextToUnitConfig
from sprachbund.models.text_to_unit.outputs import PredictedUnits
from sprachbund.nn.convolutional_transformer import ConvolutionalStack
from sprachbund.nn.dropout import dropout
from sprachbund.nn.length_regulator import lengthen, rounded_durations
from sprachbund.nn.positions import blocked_sinusoids
from sprachbund.nn.prenets import FIRST_POSITION
from sprachbund.nn.scaled_initialization import initialize_by_width
from sprachbund.nn.variance import TokenPredictor, Variance, VarianceConfig
from sprachbund.shapes import Bool, Float, Int, Tensor
from sprachbund.tokens.vocabulary import PAD


class TextToUnit(nn.Module):
    """The model; `predict_units` is its verb."""

    def __init__(self, config: TextToUnitConfig) -> None:
        super().__init__()
        self.config = config
        dim, leaks = config.encoder.dim, config.original_numerics
        self.embedding = nn.Embedding(config.num_phones, dim, padding_idx=PAD)
        self.phone_position_scale = nn.Parameter(torch.tensor([config.position_scale]))
        self.encoder = ConvolutionalStack(config.encoder, keeps_padding=leaks)
        self.duration_predictor = TokenPredictor(dim, config.predictor)
        self.pitch = self._variance(config.pitch)
        self.energy = self._variance(config.energy)
        self.unit_position_scale = nn.Parameter(torch.tensor([config.position_scale]))
        self.decoder = ConvolutionalStack(config.decoder, keeps_padding=leaks)
        self.head = nn.Linear(dim, config.num_units)
        initialize_by_width(self)

    def _variance(self, config: VarianceConfig | None) -> Variance | None:
        return None if config is None else Variance(self.config.encoder.dim, config, self.config.predictor)

    def predict_units(
        self,
        tokens: Int[Tensor, "batch token"],
        token_lengths: Int[Tensor, " batch"],
        durations: Int[Tensor, "batch token"] | None = None,
        *,
        pitches: Float[Tensor, "batch token"] | None = None,
        energies: Float[Tensor, "batch token"] | None = None,
    ) -> PredictedUnits:
        """Units of phones.

        Args:
            tokens: ids of phones, padded at the end.
            token_lengths: valid ones.
            durations: units of each phone, 0 at padding; None for those that are predicted.
            pitches: of each phone, in a model that uses them; None for those that are predicted.
            energies: as pitches.

        Raises:
            CheckpointError: the model predicts durations that are not numbers.
        """
        padding_mask = padding_mask_from_lengths(token_lengths, tokens.shape[1])
        convolved_mask = None if self.config.original_numerics else padding_mask
        states = self._encode(tokens, padding_mask)
        log_durations = self.duration_predictor(states, convolved_mask)
        states, predicted_pitches = _vary(self.pitch, states, convolved_mask, pitches)
        states, predicted_energies = _vary(self.energy, states, convolved_mask, energies)
        if durations is None:
            durations = _predicted(log_durations, padding_mask)
        lengthened = lengthen(states, durations)
        logits = self._decode(lengthened.states, lengthened.lengths)
        return PredictedUnits(
            logits, lengthened.lengths, log_durations, durations, predicted_pitches, predicted_energies
        )

    def _encode(
        self, tokens: Int[Tensor, "batch token"], padding_mask: Bool[Tensor, "batch token"]
    ) -> Float[Tensor, "batch token dim"]:
        states = _with_positions(self.embedding(tokens), self.phone_position_scale, padding_mask)
        encoded: Tensor = self.encoder(dropout(states, self.config.dropout, self.training), padding_mask)
        return encoded

    def _decode(
        self, states: Float[Tensor, "batch unit dim"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch unit vocab"]:
        padding_mask = padding_mask_from_lengths(lengths, states.shape[1])
        states = _with_positions(states, self.unit_position_scale, padding_mask)
        logits: Tensor = self.head(self.decoder(states, padding_mask))
        return logits


def _with_positions(states: Tensor, scale: Tensor, padding_mask: Tensor) -> Tensor:
    """States and sinusoids times a learned number; padding has no position."""
    numbers = torch.arange(FIRST_POSITION, FIRST_POSITION + states.shape[1], device=states.device)
    sinusoids = blocked_sinusoids(numbers, states.shape[2])[None].masked_fill(padding_mask[:, :, None], 0.0)
    return states + scale * sinusoids.to(states.dtype)


def _vary(
    variance: Variance | None, states: Tensor, padding_mask: Tensor | None, values: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    if variance is None or not variance.config.is_used:
        return states, None
    varied: tuple[Tensor, Tensor] = variance(states, padding_mask, values)
    return varied


def _predicted(log_durations: Tensor, padding_mask: Tensor) -> Tensor:
    if not bool(torch.isfinite(log_durations[~padding_mask]).all()):
        raise CheckpointError(
            "the model predicts durations that are not numbers",
            given="nan or infinite",
            mend="Use an earlier checkpoint; the training that made this one has diverged.",
        )
    return rounded_durations(log_durations, padding_mask)
