"""The speech encoder that the whole family shares: convolutions over the waveform, positions, Transformer layers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from sprachbund.config import Depth, NotNegative, Positive, Probability, Size
from sprachbund.errors import RecipeError
from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.models.encoded import Encoded, EncodedSpeech, LayerStates
from sprachbund.nn.dropout import dropout
from sprachbund.nn.prediction import UnitPredictor
from sprachbund.nn.prenets import PositionShape, WaveformPrenet
from sprachbund.nn.transformer import EncoderStack, StackConfig
from sprachbund.nn.waveform_frontend import ConvolutionShape, FrontendNorm, WaveformFrontend
from sprachbund.shapes import Bool, Float, Int, Tensor


def waveform_layers(channels: int) -> tuple[ConvolutionShape, ...]:
    """The usual seven convolutions (320 samples a frame) with `channels` channels."""
    return ((channels, 10, 5), *((channels, 3, 2),) * 4, *((channels, 2, 2),) * 2)


def reduced_stack(dim: int, num_layers: int, max_relative_distance: int | None) -> StackConfig:
    """Layers of the sizes that are ours, which a few processor cores train."""
    return StackConfig(
        dim=dim,
        ffn_dim=4 * dim,
        num_layers=num_layers,
        num_heads=4,
        # A small model overfits little, and random numbers for every attention weight cost a tenth of the step.
        attention_dropout=0.0,
        layerdrop=0.0,
        # Layers that normalise first bear higher rates, which short budgets need.
        norm_first=True,
        max_relative_distance=max_relative_distance,
    )


@dataclass(frozen=True, kw_only=True)
class SpeechEncoderConfig:
    """Sizes and rates of a speech encoder. The defaults are those of the published base models."""

    encoder: StackConfig = field(default_factory=StackConfig)
    """The Transformer layers."""
    dropout: Probability = 0.1
    """Dropout after the prenets and before the CTC head."""

    is_normalized: bool = False
    """Whether each waveform is given zero mean and unit variance before it is encoded."""
    conv_layers: tuple[ConvolutionShape, ...] = waveform_layers(512)
    """Channels, kernel and stride of each convolution of the waveform front-end."""
    conv_norm: FrontendNorm = "group"
    """Normalise over time in the first convolution, or over channels in all."""
    conv_bias: bool = False
    """Whether those convolutions have a bias."""
    frontend_gradient_scale: NotNegative = 0.1
    """Factor on the gradient into the waveform front-end; 0 freezes it."""
    has_feature_norm: bool = True
    """Normalise the front-end's channels before they are projected to the width of the encoder."""
    position_kernel: Size = 128
    """Frames that a convolutional position spans."""
    position_groups: Size = 16
    """Groups of the convolutional positions."""
    position_depth: Depth = 1
    """Convolutions of the positions: one whose weight is normalised, or several whose outputs are."""
    has_speech_sinusoids: bool = False
    """Add sinusoidal positions to speech as well."""

    unit_dim: Size = 256
    """Width in which states and units are compared."""
    unit_temperature: Positive = 0.1
    """The cosine of state and unit is divided by this."""
    unit_rate: Positive = 50.0
    """Hidden-unit labels a second."""

    original_numerics: bool = False
    """Let padding leak as the released code does. Needed only to compare numbers with it."""

    @property
    def blank(self) -> int | None:
        """The id of the CTC blank; None for a model without a text dictionary."""
        return None

    def __post_init__(self) -> None:
        if self.encoder.dim % self.position_groups:
            raise ValueError(f"position_groups ({self.position_groups}) must divide encoder.dim ({self.encoder.dim})")


class SpeechEncoder(nn.Module):
    """What every model with a speech encoder does; each adds parts of its own.

    Args:
        config: of the encoder.
        num_units: entries of the unit dictionary, its four specials included; None for a model that predicts none.
        positions_see_padding: whether padding takes part in the convolutional positions too where `original_numerics`
            lets it leak.
    """

    config: SpeechEncoderConfig
    ctc_head: nn.Module | None
    """Map to the text dictionary; None in a model without one."""

    def __init__(
        self, config: SpeechEncoderConfig, num_units: int | None = None, *, positions_see_padding: bool = True
    ) -> None:
        super().__init__()
        self.config = config
        leaks, dim = config.original_numerics, config.encoder.dim
        self.speech_prenet = WaveformPrenet(
            WaveformFrontend(config.conv_layers, norm=config.conv_norm, bias=config.conv_bias, sees_padding=leaks),
            config.conv_layers[-1][0],
            dim,
            positions=PositionShape(
                config.position_kernel, config.position_groups, config.position_depth, leaks and positions_see_padding
            ),
            has_norm=config.has_feature_norm,
            has_sinusoids=config.has_speech_sinusoids,
            dropout=config.dropout,
            gradient_scale=config.frontend_gradient_scale,
        )
        self.encoder = EncoderStack(config.encoder, keeps_padding=leaks)
        self.unit_predictor: UnitPredictor | None = None
        if num_units is not None:
            self.unit_predictor = UnitPredictor(dim, config.unit_dim, num_units, config.unit_temperature)

    @property
    def num_layers(self) -> int:
        """Layers of the encoder."""
        return len(self.encoder.layers)

    @property
    def dim(self) -> int:
        """Width of its states."""
        return self.config.encoder.dim

    @property
    def has_text_decoder(self) -> bool:
        """Whether it writes text one token after the other."""
        return False

    def require_layer(self, layer: int) -> None:
        """Refuse a layer that is not there.

        Raises:
            RecipeError: it is below 0 or above the last one.
        """
        if not 0 <= layer <= self.num_layers:
            mend = f"Name a layer from 0 to {self.num_layers}."
            raise RecipeError("the encoder has no such layer", given=layer, mend=mend)

    def set_step(self, step: int) -> None:
        """Tell the number of optimizer steps so far, which some parts follow."""

    def encode_speech(
        self,
        waveforms: Float[Tensor, "batch sample"],
        waveform_lengths: Int[Tensor, " batch"],
        *,
        time_mask: Bool[Tensor, "batch frame"] | None = None,
        channel_mask: Bool[Tensor, "batch dim"] | None = None,
        max_frames: int | None = None,
        with_energy: bool = False,
        with_features: bool = False,
    ) -> EncodedSpeech:
        """Encode waveforms of 16 kHz.

        Args:
            waveforms: zero padded.
            waveform_lengths: their valid samples.
            time_mask: frames that the mask embedding hides.
            channel_mask: channels hidden throughout a row.
            max_frames: drop frames from this one on.
            with_energy: sum the squares of the front-end's features, for the feature penalty.
            with_features: hand those features out, normalised and not masked.
        """
        speech = self._hear(
            waveforms,
            waveform_lengths,
            time_mask=time_mask,
            channel_mask=channel_mask,
            max_frames=max_frames,
            with_energy=with_energy,
            with_features=with_features,
        )
        return self._finish(speech)

    def _hear(
        self, waveforms: Float[Tensor, "batch sample"], waveform_lengths: Int[Tensor, " batch"], **options: Any
    ) -> EncodedSpeech:
        """What the prenet and `encoder` make of waveforms; options as of `encode_speech`."""
        speech = self.speech_prenet(waveforms, waveform_lengths, **options)
        padding_mask = padding_mask_from_lengths(speech.lengths, speech.states.shape[1])
        states = self.encoder(speech.states, padding_mask)
        return EncodedSpeech(states, speech.lengths, speech.energy, speech.features)

    def _finish(self, speech: EncodedSpeech) -> EncodedSpeech:
        """What is above `encoder`: nothing, in a model that has no more."""
        return speech

    def layer_states(
        self,
        waveforms: Float[Tensor, "batch sample"],
        waveform_lengths: Int[Tensor, " batch"],
        layers: Sequence[int],
    ) -> LayerStates:
        """States after some layers; those after the highest of them are not computed.

        Args:
            waveforms: of 16 kHz, zero padded.
            waveform_lengths: their valid samples.
            layers: 0 for what the first layer reads, k for the output of layer k; the last layer gives the output of
                the encoder, whose norm is in it.
        """
        speech = self.speech_prenet(waveforms, waveform_lengths)
        padding_mask = padding_mask_from_lengths(speech.lengths, speech.states.shape[1])
        states = self.encoder.states_after(layers, speech.states, padding_mask)
        return LayerStates(tuple(states), speech.lengths)

    def unit_logits(self, states: Float[Tensor, "*position dim"]) -> Float[Tensor, "*position unit"]:
        """Logits of encoder states over the hidden units; pass only the states that are to be judged."""
        assert self.unit_predictor is not None, "built without unit prediction"
        logits: Tensor = self.unit_predictor(states)
        return logits

    def ctc_logits(self, encoded: Encoded) -> Float[Tensor, "batch frame vocab"]:
        """Logits of each frame over the text dictionary; `config.blank` is the blank among its entries."""
        assert self.ctc_head is not None, "built without a text dictionary"
        logits: Tensor = self.ctc_head(dropout(encoded.states, self.config.dropout, self.training))
        return logits
