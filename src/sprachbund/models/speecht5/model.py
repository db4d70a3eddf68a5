"""SpeechT5 (Ao et al., ACL 2022): one encoder-decoder between speech and text, and a codebook in the middle."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.models.encoded import Encoded
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.models.speecht5.config import SpeechT5Config
from sprachbund.models.speecht5.outputs import Mixed, Spectrogram
from sprachbund.models.text_decoding import TextDecoding
from sprachbund.nn.decoder import DecoderStack
from sprachbund.nn.initialization import initialize_like_bert
from sprachbund.nn.positions import ScaledSinusoids
from sprachbund.nn.postnets import Classified, SpectrogramPostnet, UtteranceClassifier
from sprachbund.nn.prenets import SpectrogramPrenet, TextDecoderPrenet, TextEncoderPrenet
from sprachbund.nn.quantizer import GumbelQuantizer, NearestQuantizer, Quantized, Quantizer
from sprachbund.shapes import Bool, Float, Int, Tensor

PADDING = 1
"""The token id of padding."""


class SpeechT5(TextDecoding, SpeechEncoder):
    """The model; its verbs are what objectives and decoders call."""

    config: SpeechT5Config
    ctc_head: nn.Linear
    decoder: DecoderStack

    def __init__(self, config: SpeechT5Config) -> None:
        super().__init__(config, config.num_units if config.has_unit_prediction else None)
        self._build_text_encoder(config)
        self._build_text_decoder(config)
        self._build_spectrogram_decoder(config)
        dim = config.encoder.dim
        self.quantizer: Quantizer | None = None
        if config.has_quantizer and config.quantizer_rule == "gumbel":
            groups, codes = config.codebook_groups, config.codes_per_group
            self.quantizer = GumbelQuantizer(dim, groups, codes, config.codebook_temperature)
        elif config.has_quantizer:
            self.quantizer = NearestQuantizer(dim, config.codebook_groups, config.codes_per_group)
        self.speaker_classifier: UtteranceClassifier | None = None
        if config.num_speakers is not None:
            self.speaker_classifier = UtteranceClassifier(
                config.decoder.dim,
                config.num_speakers,
                has_norm=config.has_speaker_norm,
                embedding_dim=config.speaker_embedding_dim,
            )
        initialize_like_bert(self)

    def _build_text_encoder(self, config: SpeechT5Config) -> None:
        dim = config.encoder.dim
        embedding = nn.Embedding(config.vocab_size, dim, padding_idx=PADDING)
        positions = ScaledSinusoids(config.encoder_position_dropout, initial_scale=config.initial_encoder_scale)
        self.text_prenet = TextEncoderPrenet(embedding, positions)
        self.ctc_head = nn.Linear(dim, config.vocab_size, bias=not config.share_ctc_embeddings)
        if config.share_ctc_embeddings:
            self.ctc_head.weight = embedding.weight

    def _build_text_decoder(self, config: SpeechT5Config) -> None:
        head_dim = config.encoder.dim // config.encoder.num_heads
        self.decoder = DecoderStack(config.decoder, config.encoder.dim, unused_head_dim=head_dim)
        embedding = self.text_prenet.embedding
        if not config.share_embeddings:
            embedding = nn.Embedding(config.vocab_size, config.decoder.dim, padding_idx=PADDING)
        self.text_decoder_prenet = TextDecoderPrenet(
            embedding,
            dropout=config.dropout,
            is_scaled=config.scale_embedding,
            has_positions=config.has_text_positions,
            has_norm=config.has_embedding_norm,
        )
        self.text_head = nn.Linear(config.decoder.dim, config.vocab_size, bias=False)
        if config.share_embeddings:
            self.text_head.weight = embedding.weight

    def _build_spectrogram_decoder(self, config: SpeechT5Config) -> None:
        dim = config.decoder.dim
        self.spectrogram_prenet = SpectrogramPrenet(
            config.num_mels,
            config.mel_prenet_dim,
            config.mel_prenet_layers,
            dim,
            dropout=config.mel_prenet_dropout,
            positions=ScaledSinusoids(config.decoder_position_dropout, initial_scale=config.initial_decoder_scale),
            speaker_dim=config.speaker_dim,
        )
        self.spectrogram_postnet = SpectrogramPostnet(
            dim,
            config.num_mels,
            config.reduction_factor,
            num_layers=config.postnet_layers,
            channels=config.postnet_channels,
            kernel=config.postnet_kernel,
            dropout=config.postnet_dropout,
            has_norm=config.has_postnet_norm,
        )

    def set_step(self, step: int) -> None:
        """Tell the number of optimizer steps so far: the codebook's temperature follows it."""
        if self.quantizer is not None:
            self.quantizer.set_step(step)

    def encode_text(self, tokens: Int[Tensor, "batch token"], token_lengths: Int[Tensor, " batch"]) -> Encoded:
        """Encode token ids, padded at the end."""
        padding_mask = padding_mask_from_lengths(token_lengths, tokens.shape[1])
        return Encoded(self.encoder(self.text_prenet(tokens), padding_mask), token_lengths)

    def mix_codes(
        self,
        encoded: Encoded,
        positions: Bool[Tensor, " frame"],
        *,
        seed: int | None = None,
        noise: Float[Tensor, "draw code"] | None = None,
    ) -> Mixed:
        """Replace the states at `positions` by their code vectors, in every row (SpeechT5, section 2.3).

        Args:
            encoded: the encoder's states.
            positions: True where states are replaced.
            seed: of the quantizer's noise in training.
            noise: the noise itself, for comparison with other implementations.
        """
        assert self.quantizer is not None, "built without has_quantizer"
        padding_mask = None if self.config.original_numerics else encoded.padding_mask
        quantized: Quantized = self.quantizer(encoded.states, padding_mask, seed=seed, noise=noise)
        replaced = positions[None, :, None]
        if padding_mask is not None:
            replaced = replaced & ~padding_mask[:, :, None]
        states = torch.where(replaced, quantized.states, encoded.states)
        return Mixed(encoded=replace(encoded, states=states), quantized=quantized)

    def decode_spectrogram(
        self,
        frames: Float[Tensor, "batch step mel"],
        frame_lengths: Int[Tensor, " batch"],
        speaker_embeddings: Float[Tensor, "batch speaker"] | None,
        memory: Encoded,
        *,
        need_attention: bool = False,
        prenet_seed: int | None = None,
        prenet_masks: Sequence[Float[Tensor, "batch step hidden"]] | None = None,
    ) -> Spectrogram:
        """Predict `reduction_factor` spectrogram frames from each frame before them.

        Args:
            frames: a zero frame, then every `reduction_factor`-th target frame but the last.
            frame_lengths: valid ones of these.
            speaker_embeddings: whose voice.
            memory: the encoder's states.
            need_attention: return attention weights.
            prenet_seed: of the prenet's dropout, which is on in evaluation too.
            prenet_masks: the dropout itself, for comparison with other implementations.
        """
        states = self.spectrogram_prenet(frames, speaker_embeddings, seed=prenet_seed, dropout_masks=prenet_masks)
        padding_mask = padding_mask_from_lengths(frame_lengths, frames.shape[1])
        leaks = self.config.original_numerics
        decoded = self.decoder(
            states,
            memory.states,
            memory.padding_mask,
            padding_mask=padding_mask if leaks else None,
            need_weights=need_attention,
        )
        speech = self.spectrogram_postnet(decoded.states, None if leaks else padding_mask)
        return Spectrogram(speech.before, speech.after, speech.stop_logits, decoded.weights)

    def classify_speaker(self, memory: Encoded) -> Classified:
        """Classes of whole utterances: the decoder takes one step from a zero vector (SpeechT5, section 3.6)."""
        assert self.speaker_classifier is not None, "built without num_speakers"
        start = memory.states.new_zeros(memory.states.shape[0], 1, self.config.decoder.dim)
        pooled = self.decoder(start, memory.states, memory.padding_mask).states.mean(dim=1)
        result: Classified = self.speaker_classifier(pooled)
        return result
