"""What SpeechLM and SpeechUT share: speech or units below, one Transformer above, CTC and a decoder on top."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.models.encoded import Encoded, EncodedSpeech, LayerStates
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.models.speech_units.config import SpeechUnitConfig
from sprachbund.models.speech_units.outputs import MixedStates
from sprachbund.models.text_decoding import TextDecoding
from sprachbund.nn.ctc_head import ConvolutionalCtcHead
from sprachbund.nn.decoder import DecoderStack
from sprachbund.nn.initialization import initialize_like_bert
from sprachbund.nn.prenets import TextDecoderPrenet
from sprachbund.nn.scaled_initialization import initialize_by_width
from sprachbund.nn.transformer import EncoderStack
from sprachbund.nn.unit_prenet import UnitPrenet
from sprachbund.shapes import Bool, Float, Int, Tensor

PADDING = 1


class SpeechUnitModel(TextDecoding, SpeechEncoder):
    """The model; its verbs are what objectives and decoders call.

    `top_predictor`, which tells units of the states at the top, is of the kinds below this one.
    """

    config: SpeechUnitConfig
    top_predictor: nn.Module | None
    ctc_head: ConvolutionalCtcHead | None

    def __init__(self, config: SpeechUnitConfig) -> None:
        super().__init__(config, config.num_units, positions_see_padding=False)
        dim = config.unit_encoder.dim
        initialize_like_bert(self.encoder)
        self.unit_prenet = UnitPrenet(
            dim,
            config.num_units,
            max_positions=config.max_unit_positions,
            has_norm=config.has_unit_embedding_norm,
            is_scaled=config.scale_unit_embedding,
        )
        self.unit_encoder = EncoderStack(
            config.unit_encoder, keeps_padding=config.original_numerics, normalizes_input=False
        )
        self.ctc_head = None
        if config.has_ctc_head:
            assert config.vocab_size is not None, "checked by the configuration"
            self.ctc_head = ConvolutionalCtcHead(dim, config.ctc_kernel, config.vocab_size, dropout=config.ctc_dropout)
        self._build_text_decoder(config)
        self._initialize()

    def _build_text_decoder(self, config: SpeechUnitConfig) -> None:
        self.decoder = None
        if config.decoder is None:
            return
        assert config.vocab_size is not None, "checked by the configuration"
        self.decoder = DecoderStack(config.decoder, config.unit_encoder.dim, is_relative=True)
        self.text_decoder_prenet = TextDecoderPrenet(
            nn.Embedding(config.vocab_size, config.decoder.dim, padding_idx=PADDING),
            dropout=config.decoder.dropout,
            is_scaled=config.scale_decoder_embedding,
            has_positions=config.has_decoder_positions,
            has_norm=config.has_decoder_embedding_norm,
        )
        self.text_head = nn.Linear(config.decoder.dim, config.vocab_size, bias=False)
        if config.share_decoder_embeddings:
            self.text_head.weight = self.text_decoder_prenet.embedding.weight

    def _initialize(self) -> None:
        """As fairseq's stacks begin: relative positions with variance one, the decoder's head like embeddings."""
        parts = [self.unit_prenet, self.unit_encoder]
        if self.decoder is not None:
            parts += [self.decoder, self.text_decoder_prenet]
            if not self.config.share_decoder_embeddings:
                nn.init.normal_(self.text_head.weight, std=self.text_head.in_features**-0.5)
        for part in parts:
            initialize_by_width(part)
        for stack in (self.unit_encoder, self.decoder):
            if stack is not None and stack.relative is not None:
                nn.init.normal_(stack.relative.table.weight)

    @property
    def num_layers(self) -> int:
        """Layers of both Transformers."""
        return len(self.encoder.layers) + len(self.unit_encoder.layers)

    def speech_states(
        self, waveforms: Float[Tensor, "batch sample"], waveform_lengths: Int[Tensor, " batch"], **options: Any
    ) -> EncodedSpeech:
        """What the speech Transformer alone makes of waveforms; options as of `encode_speech`."""
        return self._hear(waveforms, waveform_lengths, **options)

    def _finish(self, speech: EncodedSpeech) -> EncodedSpeech:
        return replace(speech, states=self.encode_states(speech.states, speech.padding_mask))

    def mix_units(
        self,
        speech: Encoded,
        units: Int[Tensor, "batch frame"],
        mix_mask: Bool[Tensor, "batch frame"] | None,
        *,
        time_mask: Bool[Tensor, "batch frame"] | None = None,
        remask: bool = False,
        use_predicted: bool = False,
        with_distance: bool = False,
    ) -> MixedStates:
        """Put vectors of units in the place of some states (SpeechLM, random swapping; SpeechUT, embedding mixing).

        What comes out is zero at padding.

        Args:
            speech: of the speech Transformer.
            units: of each frame.
            mix_mask: frames whose states give way, but for those of `time_mask` and those without a unit.
            time_mask: frames that speech was masked at.
            remask: put the mask embedding where both masks are True.
            use_predicted: take the units that the model hears instead of those given.
            with_distance: sum up how far states and vectors are apart, at masked frames (all, without a mask).
        """
        states = speech.states
        if use_predicted:
            units = self.unit_logits(states).argmax(dim=2).masked_fill(speech.padding_mask, PADDING)
        vectors = self.unit_prenet.embed(units).to(states.dtype)
        # The original takes frames without a unit for those of a unit called padding.
        has_unit = torch.ones_like(units, dtype=torch.bool) if self.config.original_numerics else units != PADDING
        distance = None
        if with_distance:
            chosen = has_unit & ~speech.padding_mask if time_mask is None else has_unit & time_mask
            distance = _distance(states, vectors, chosen)
        if mix_mask is not None:
            masked = torch.zeros_like(mix_mask) if time_mask is None else time_mask
            if remask:
                states = self.speech_prenet.mask_embedding(states, mix_mask & masked, None)
            swapped = mix_mask & ~masked & has_unit
            states = torch.where(swapped[:, :, None], vectors, states)
        return MixedStates(states.masked_fill(speech.padding_mask[:, :, None], 0.0), units, distance)

    def encode_states(
        self, states: Float[Tensor, "batch frame dim"], padding_mask: Bool[Tensor, "batch frame"]
    ) -> Float[Tensor, "batch frame dim"]:
        """What the unit encoder makes of states of speech, or of those mixed with vectors of units."""
        encoded: Tensor = self.unit_encoder(self.unit_prenet(states, padding_mask), padding_mask)
        return encoded

    def encode_units(
        self,
        units: Int[Tensor, "batch unit"],
        unit_lengths: Int[Tensor, " batch"],
        *,
        unit_mask: Bool[Tensor, "batch unit"] | None = None,
    ) -> Encoded:
        """Encode unit ids, padded at the end; the mask embedding stands where `unit_mask` is True."""
        padding_mask = padding_mask_from_lengths(unit_lengths, units.shape[1])
        return Encoded(self.encode_states(self._embedded(units, unit_mask), padding_mask), unit_lengths)

    def _embedded(self, units: Tensor, unit_mask: Tensor | None) -> Tensor:
        vectors: Tensor = self.speech_prenet.mask_embedding(self.unit_prenet.embed(units), unit_mask, None)
        return vectors

    def top_unit_logits(self, states: Float[Tensor, "*position dim"]) -> Float[Tensor, "*position unit"]:
        """Logits of the unit encoder's states over units; pass only the states that are to be judged."""
        assert self.top_predictor is not None, "built without units"
        logits: Tensor = self.top_predictor(states)
        return logits

    def ctc_logits(self, encoded: Encoded) -> Float[Tensor, "batch logit_frame vocab"]:
        """Logits of each frame over the text dictionary; `config.blank` is the blank among its entries.

        With `original_numerics` there is one frame more than states where the kernel is even, as released decoding
        has it. Training never saw it, and without that switch it is left out.
        """
        assert self.ctc_head is not None, "built without has_ctc_head"
        logits: Tensor = self.ctc_head(encoded.states)
        return logits if self.config.original_numerics else logits[:, : encoded.states.shape[1]]

    def layer_states(
        self,
        waveforms: Float[Tensor, "batch sample"],
        waveform_lengths: Int[Tensor, " batch"],
        layers: Sequence[int],
    ) -> LayerStates:
        """States after some layers of both Transformers; those after the highest of them are not computed.

        Args:
            waveforms: of 16 kHz, zero padded.
            waveform_lengths: their valid samples.
            layers: 0 for what the first layer reads; those of the speech Transformer as they come out, without its
                final norm; then those of the unit encoder, whose last one gives the output of the model.
        """
        num_speech = len(self.encoder.layers)
        speech = self.speech_prenet(waveforms, waveform_lengths)
        padding_mask = padding_mask_from_lengths(speech.lengths, speech.states.shape[1])
        below = [layer for layer in layers if layer <= num_speech]
        if len(below) == len(layers):
            states = self.encoder.states_after(layers, speech.states, padding_mask, finishes=False)
            return LayerStates(tuple(states), speech.lengths)
        wanted = [*below, num_speech]
        *kept, last = self.encoder.states_after(wanted, speech.states, padding_mask, finishes=False)
        located = self.unit_prenet(self.encoder.finish(last, padding_mask), padding_mask)
        above = [layer - num_speech for layer in layers if layer > num_speech]
        found = {
            **dict(zip(below, kept, strict=True)),
            **{
                num_speech + layer: states
                for layer, states in zip(
                    above, self.unit_encoder.states_after(above, located, padding_mask), strict=True
                )
            },
        }
        return LayerStates(tuple(found[layer] for layer in layers), speech.lengths)

    def unit_layer_states(
        self, units: Int[Tensor, "batch unit"], unit_lengths: Int[Tensor, " batch"], layers: Sequence[int]
    ) -> LayerStates:
        """States after some layers of the unit encoder, which reads units.

        Args:
            units: ids, padded at the end.
            unit_lengths: valid ones.
            layers: numbered as in `layer_states`; that of the last layer of the speech Transformer is what the unit
                encoder's first layer reads.
        """
        padding_mask = padding_mask_from_lengths(unit_lengths, units.shape[1])
        located = self.unit_prenet(self._embedded(units, None), padding_mask)
        own = [layer - len(self.encoder.layers) for layer in layers]
        return LayerStates(tuple(self.unit_encoder.states_after(own, located, padding_mask)), unit_lengths)


def _distance(
    states: Float[Tensor, "batch frame dim"],
    vectors: Float[Tensor, "batch frame dim"],
    chosen: Bool[Tensor, "batch frame"],
) -> Float[Tensor, ""]:
    """Sum over frames of the mean square of the difference, over the squared length of the unit's vector."""
    states, vectors = states[chosen].float(), vectors[chosen].float()
    return ((states - vectors).square().mean(dim=1) / vectors.square().sum(dim=1)).sum()
