"""The peer, `transformers`' SpeechT5, and ours with its weights."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import SpeechT5Config as PeerConfig
from transformers import SpeechT5ForSpeechToText as Peer

from sprachbund.checkpoints.key_table import KeyTable
from sprachbund.data.batches.batch import TranscribedBatch
from sprachbund.models.speecht5.config import SpeechT5Config, waveform_layers
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.nn.transformer import StackConfig
from sprachbund.objectives.recognition import Recognition, RecognitionConfig

VOCAB_SIZE = 81
START = 2  # what the decoders are fed first
_TIED = "text_decoder_postnet.lm_head.weight"  # the embedding once more


@dataclass(frozen=True, kw_only=True)
class Size:
    """One model, as both sides configure it."""

    dim: int = 768
    ffn_dim: int = 3072
    layers: tuple[int, int] = (12, 6)
    heads: int = 12
    channels: int = 512
    reach: int = 160
    position_kernel: int = 128
    position_groups: int = 16

    def ours(self) -> SpeechT5Config:
        """Dropout as published; no layer is dropped, so that every step is the same work."""
        stack = StackConfig(
            dim=self.dim,
            ffn_dim=self.ffn_dim,
            num_layers=self.layers[0],
            num_heads=self.heads,
            max_relative_distance=self.reach,
            layerdrop=0.0,
        )
        decoder = StackConfig(
            dim=self.dim, ffn_dim=self.ffn_dim, num_layers=self.layers[1], num_heads=self.heads, layerdrop=0.0
        )
        return SpeechT5Config(
            vocab_size=VOCAB_SIZE,
            encoder=stack,
            decoder=decoder,
            conv_layers=waveform_layers(self.channels),
            position_kernel=self.position_kernel,
            position_groups=self.position_groups,
            has_unit_prediction=False,
            has_quantizer=False,
        )

    def peer(self) -> PeerConfig:
        """The same. Masks of its own are off, since ours come with the batch; a cache serves generation alone."""
        return PeerConfig(
            vocab_size=VOCAB_SIZE,
            hidden_size=self.dim,
            encoder_layers=self.layers[0],
            decoder_layers=self.layers[1],
            encoder_attention_heads=self.heads,
            decoder_attention_heads=self.heads,
            encoder_ffn_dim=self.ffn_dim,
            decoder_ffn_dim=self.ffn_dim,
            encoder_max_relative_position=self.reach,
            conv_dim=(self.channels,) * 7,
            num_conv_pos_embeddings=self.position_kernel,
            num_conv_pos_embedding_groups=self.position_groups,
            encoder_layerdrop=0.0,
            decoder_layerdrop=0.0,
            activation_dropout=0.0,
            feat_proj_dropout=0.1,
            apply_spec_augment=False,
            use_cache=False,
        )


SIZES = {
    "base": Size(),
    "tiny": Size(
        dim=32, ffn_dim=48, layers=(2, 1), heads=2, channels=16, reach=9, position_kernel=8, position_groups=4
    ),
}


def _table() -> KeyTable:
    """The peer's names -> ours."""
    rules = [
        ("speecht5.encoder.prenet.feature_encoder.conv_layers.{n}.conv.weight", f"{_BLOCK}.convolution.weight"),
        ("speecht5.encoder.prenet.feature_encoder.conv_layers.{n}.layer_norm.{kind}", f"{_BLOCK}.norm.{{kind}}"),
        ("speecht5.encoder.prenet.feature_projection.layer_norm.{kind}", "speech_prenet.norm.{kind}"),
        ("speecht5.encoder.prenet.feature_projection.projection.{kind}", "speech_prenet.projection.{kind}"),
        ("speecht5.encoder.prenet.masked_spec_embed", "speech_prenet.mask_embedding.vector"),
        (f"{_POSITIONS}.bias", "speech_prenet.positions.bias"),
        (f"{_POSITIONS}.parametrizations.weight.original0", "speech_prenet.positions.weight_gain"),
        (f"{_POSITIONS}.parametrizations.weight.original1", "speech_prenet.positions.weight_direction"),
        ("speecht5.encoder.wrapped_encoder.embed_positions.pe_k.weight", "encoder.relative.table.weight"),
        ("speecht5.encoder.wrapped_encoder.layer_norm.{kind}", "encoder.norm.{kind}"),
        ("speecht5.decoder.prenet.embed_tokens.weight", "text_prenet.embedding.weight"),
    ]
    for side, norm in (("encoder", "layer_norm"), ("decoder", "self_attn_layer_norm")):
        theirs, ours = f"speecht5.{side}.wrapped_{side}.layers.{{n}}", f"{side}.layers.{{n}}"
        attention = "attention" if side == "encoder" else "self_attn"
        rules += _attention(f"{theirs}.{attention}", f"{ours}.attention")
        rules += _attention(f"{theirs}.encoder_attn", f"{ours}.memory_attention")
        rules += [
            (f"{theirs}.{norm}.{{kind}}", f"{ours}.attention_norm.{{kind}}"),
            (f"{theirs}.encoder_attn_layer_norm.{{kind}}", f"{ours}.memory_attention_norm.{{kind}}"),
            (f"{theirs}.final_layer_norm.{{kind}}", f"{ours}.final_norm.{{kind}}"),
            (f"{theirs}.feed_forward.intermediate_dense.{{kind}}", f"{ours}.feed_forward.inner.{{kind}}"),
            (f"{theirs}.feed_forward.output_dense.{{kind}}", f"{ours}.feed_forward.outer.{{kind}}"),
        ]
    return KeyTable(rules, [_TIED])


_BLOCK = "speech_prenet.frontend.blocks.{n}"
_POSITIONS = "speecht5.encoder.prenet.pos_conv_embed.conv"


def _attention(theirs: str, ours: str) -> list[tuple[str, str]]:
    parts = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "out"}
    return [(f"{theirs}.{name}.{{kind}}", f"{ours}.{new}.{{kind}}") for name, new in parts.items()]


class PeerEncoder(nn.Module):
    """The peer's verb: waveforms of full length -> states."""

    def __init__(self, peer: Peer) -> None:
        super().__init__()
        self.encoder = peer.speecht5.encoder

    def forward(self, waveforms: Tensor) -> Tensor:
        """No mask, so that it does no work for padding that is not there."""
        states: Tensor = self.encoder(waveforms).last_hidden_state
        return states


class OurEncoder(nn.Module):
    """Ours. It is always told lengths, and finds out by itself that nothing is padded."""

    def __init__(self, model: SpeechT5) -> None:
        super().__init__()
        self.model = model

    def forward(self, waveforms: Tensor) -> Tensor:
        """States of waveforms of full length."""
        return self.model.encode_speech(waveforms, _lengths(waveforms)).states


class PeerLoss(nn.Module):
    """The peer's mean cross entropy of a transcript, its end included."""

    def __init__(self, peer: Peer) -> None:
        super().__init__()
        self.peer = peer

    def forward(self, waveforms: Tensor, targets: Tensor) -> Tensor:
        """As its documentation trains it; the loss in float32 under mixed precision too, as ours."""
        logits = self.peer(input_values=waveforms, decoder_input_ids=_decoder_input(targets)).logits
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())


class OurLoss(nn.Module):
    """The same of our objective, without CTC, which the peer has not."""

    def __init__(self, model: SpeechT5) -> None:
        super().__init__()
        self.objective = Recognition(model, RecognitionConfig(decoder_weight=1.0, ctc_weight=0.0, label_smoothing=0.0))

    def forward(self, waveforms: Tensor, targets: Tensor) -> Tensor:
        """The mean over all tokens."""
        batch = TranscribedBatch(
            ids=(),
            waveforms=waveforms,
            waveform_lengths=_lengths(waveforms),
            time_mask=None,
            channel_mask=None,
            decoder_input=_decoder_input(targets),
            targets=targets,
            target_lengths=torch.full((len(targets),), targets.shape[1]),
        )
        loss: Any = self.objective(batch)
        total: Tensor = loss.terms[0].sum / targets.numel()
        return total


def build_both(size: Size, seed: int = 0) -> tuple[Peer, SpeechT5]:
    """The peer with random weights, and ours with the same, both in evaluation mode.

    Raises:
        RuntimeError: a weight of the peer has no place in ours.
    """
    torch.manual_seed(seed)
    peer = Peer(size.peer())
    peer.eval()  # type: ignore[no-untyped-call]
    state = peer.state_dict()
    renamed = _table().to_ours(state)
    if set(renamed.unused) - {_TIED}:
        raise RuntimeError(f"weights of the peer without a place in ours: {renamed.unused}")
    ours = SpeechT5(size.ours()).eval()
    unknown = ours.load_state_dict({new: state[old] for old, new in renamed.names.items()}, strict=False)
    if unknown.unexpected_keys:
        raise RuntimeError(f"weights that ours does not have: {unknown.unexpected_keys}")
    return peer, ours


def _lengths(waveforms: Tensor) -> Tensor:
    return torch.full((len(waveforms),), waveforms.shape[1])


def _decoder_input(targets: Tensor) -> Tensor:
    return F.pad(targets[:, :-1], (1, 0), value=START)
