"""Names and arguments of the original SpeechT5 checkpoints, and ours."""

from collections.abc import Mapping
from typing import Any, cast

from sprachbund.checkpoints.key_table import KeyTable
from sprachbund.errors import CheckpointError
from sprachbund.models.fairseq_names import (
    parse_conv_layers,
    read_activation,
    read_norm,
    refuse_others,
    relative_rules,
    stack_rules,
    text_decoder_rules,
    waveform_rules,
)
from sprachbund.models.speecht5.config import SpeechT5Config
from sprachbund.nn.transformer import StackConfig
from sprachbund.nn.waveform_frontend import ConvolutionShape

_ENCODER = [
    *stack_rules("encoder"),
    *relative_rules("encoder"),
    ("encoder.proj.{kind}", "ctc_head.{kind}"),
]

_DECODER = [
    *text_decoder_rules("decoder"),
    ("decoder.layers.{n}.norm_k.{kind}", "decoder.unused_relative_norms.{n}.{kind}"),
    ("decoder.pos_emb.pe_k.weight", "decoder.unused_relative.table.weight"),
]

_TEXT = [
    ("text_encoder_prenet.encoder_prenet.0.weight", "text_prenet.embedding.weight"),
    ("text_encoder_prenet.encoder_prenet.1.alpha", "text_prenet.positions.scale"),
    ("text_decoder_prenet.embed_tokens.weight", "text_decoder_prenet.embedding.weight"),
    ("text_decoder_prenet.layernorm_embedding.{kind}", "text_decoder_prenet.norm.{kind}"),
    ("text_decoder_postnet.output_projection.weight", "text_head.weight"),
]

_SPECTROGRAM = [
    ("speech_decoder_prenet.decoder_prenet.0.0.prenet.{n}.0.{kind}", "spectrogram_prenet.layers.{n}.{kind}"),
    ("speech_decoder_prenet.decoder_prenet.0.1.{kind}", "spectrogram_prenet.projection.{kind}"),
    ("speech_decoder_prenet.decoder_prenet.1.alpha", "spectrogram_prenet.positions.scale"),
    ("speech_decoder_prenet.spkembs_layer.0.{kind}", "spectrogram_prenet.speaker.{kind}"),
    ("speech_decoder_postnet.feat_out.{kind}", "spectrogram_postnet.frames.{kind}"),
    ("speech_decoder_postnet.prob_out.{kind}", "spectrogram_postnet.stop.{kind}"),
    ("speech_decoder_postnet.postnet.postnet.{n}.0.weight", "spectrogram_postnet.blocks.{n}.convolution.weight"),
    ("speech_decoder_postnet.postnet.postnet.{n}.1.{kind}", "spectrogram_postnet.blocks.{n}.norm.{kind}"),
]

_HEADS = [
    ("hubert_layer.final_proj.{kind}", "unit_predictor.projection.{kind}"),
    ("hubert_layer.label_embs_concat", "unit_predictor.embeddings"),
    ("quantizer.vars", "quantizer.codebook"),
    ("quantizer.weight_proj.{kind}", "quantizer.projection.{kind}"),
    ("speaker_decoder_postnet.bn_pooling.{kind}", "speaker_classifier.norm.{kind}"),
    ("speaker_decoder_postnet.output_embedding.weight", "speaker_classifier.embedding.weight"),
    ("speaker_decoder_postnet.bn_embedding.{kind}", "speaker_classifier.embedding_norm.{kind}"),
    ("speaker_decoder_postnet.output_projection.weight", "speaker_classifier.output.weight"),
]

# Version marks, and the one-element buffers of sinusoids, whose content is uninitialised memory.
_IGNORED = ("encoder.version", "decoder.version", "{part}.embed_positions._float_tensor")


def key_table(config: SpeechT5Config) -> KeyTable:
    """Original names <-> ours; the norms of the waveform front-end are called by its kind."""
    prefix = "speech_encoder_prenet."
    waveform = waveform_rules(prefix, f"{prefix}pos_conv.0", config.conv_norm)
    rules = [*_ENCODER, *_DECODER, *waveform, *_TEXT, *_SPECTROGRAM, *_HEADS]
    return KeyTable(rules, _IGNORED)


# Arguments whose other values the package has no counterpart for: name, the only value, and what it means.
_REQUIRED: dict[str, tuple[Any, ...]] = {
    "encoder_speech_prenet": ("conv",),
    "use_conv_pos": (True,),
    "use_abs_pos": (False,),
    "use_sent_enc_layer": (True,),
    "target_glu": (False,),
    "quantizer_depth": (1,),
    "quant_noise_pq": (0, 0.0),
    "adaptive_input": (False,),
    "adaptive_softmax_cutoff": (None,),
    "decoder_learned_pos": (False,),
    "spk_embed_integration_type": ("pre",),
    "sid_pooling_layer": ("decoder",),
    "sid_normalize_postnet": (False,),
    "sid_softmax_type": ("softmax",),
    "encoder_reduction_factor": (1,),
    "no_decoder_final_norm": (False,),
    "decoder_full_context_alignment": (False,),
    "cross_self_attention": (False,),
    "unb_enc_layer": (-1,),
    "se_predict": (None,),
    "se_decoder_input": ("previous_target",),
    "sid_t5_postnet": (False,),
    "sid_encoder_cls": (None,),
    "sid_decoder_speaker": (False,),
    "sid_pad_prenet": (False,),
}


def config_from_original(
    config: Mapping[str, Any], vocab_size: int, num_units: int | None, *, num_speakers: int | None = None
) -> SpeechT5Config:
    """The configuration that original arguments describe, with original numerics.

    Args:
        config: arguments by their original names; missing ones take the published base values.
        vocab_size: entries of the text dictionary.
        num_units: entries of the hidden-unit dictionary; None for a model without unit prediction.
        num_speakers: classes of the utterance classifier; None for a model without.

    Raises:
        CheckpointError: an argument asks for what this package does not have.
    """
    arguments = dict(config)
    _refuse_unknown(arguments)
    get = arguments.get
    encoder, decoder = _stack_config(arguments, "encoder"), _stack_config(arguments, "decoder")
    temperature = get("latent_temp", (2, 0.5, 0.999995))
    return SpeechT5Config(
        vocab_size=vocab_size,
        num_units=4 if num_units is None else num_units,
        encoder=encoder,
        decoder=decoder,
        dropout=get("dropout", 0.1),
        conv_layers=_conv_layers(get("conv_feature_layers")),
        conv_norm=read_norm(get("extractor_mode", "default")),
        conv_bias=get("conv_bias", False),
        frontend_gradient_scale=get("feature_grad_mult", 0.1),
        position_kernel=get("conv_pos", 128),
        position_groups=get("conv_pos_groups", 16),
        has_speech_sinusoids=get("use_sinc_pos", True),
        share_embeddings=get("share_input_output_embed", True),
        share_ctc_embeddings=get("share_ctc_embed", False),
        scale_embedding=not get("no_scale_embedding", True),
        has_text_positions=not get("no_token_positional_embeddings", False),
        has_embedding_norm=get("layernorm_embedding", False),
        **_position_arguments(arguments),
        **_spectrogram_arguments(arguments),
        has_unit_prediction=num_units is not None,
        unit_dim=get("final_dim", 256) if get("final_dim", 256) > 0 else encoder.dim,
        unit_temperature=get("logit_temp", 0.1),
        unit_rate=_unit_rate(arguments),
        has_quantizer=get("use_codebook", False),
        codebook_groups=get("latent_groups", 2),
        codes_per_group=get("latent_vars", 100),
        codebook_temperature=cast(tuple[float, float, float], tuple(float(value) for value in temperature)),
        num_speakers=num_speakers,
        has_speaker_norm=not get("sid_no_pooling_bn", False),
        speaker_embedding_dim=None if get("sid_no_embed_postnet", False) else get("sid_embed_dim", 128),
        original_numerics=True,
    )


def _unit_rate(arguments: Mapping[str, Any]) -> float:
    """Labels a second; fine-tuning has none, and says -1."""
    rate = float(arguments.get("label_rates", 50))
    return rate * 16000 / arguments.get("sample_rate", 16000) if rate > 0 else 50.0


def _stack_config(arguments: Mapping[str, Any], side: str) -> StackConfig:
    get = arguments.get
    default = StackConfig(num_layers=12 if side == "encoder" else 6)
    has_relative = get("relative_position_embedding", True)
    norm_first = get("layer_norm_first", False) if side == "encoder" else get("decoder_normalize_before", False)
    return StackConfig(
        dim=get(f"{side}_embed_dim", default.dim),
        ffn_dim=get(f"{side}_ffn_embed_dim", default.ffn_dim),
        num_layers=get(f"{side}_layers", default.num_layers),
        num_heads=get(f"{side}_attention_heads", default.num_heads),
        norm_first=norm_first,
        dropout=get("dropout", default.dropout),
        attention_dropout=get("attention_dropout", default.attention_dropout),
        activation_dropout=get("activation_dropout", default.activation_dropout),
        activation=read_activation(get("activation_fn", "gelu")),
        layerdrop=get(f"{side}_layerdrop", default.layerdrop),
        max_relative_distance=get(f"{side}_max_relative_position", 160) if has_relative else None,
        norm_eps=get("layer_norm_eps", 1e-5),
    )


def _position_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    get = arguments.get
    return {
        "initial_encoder_scale": get("initial_encoder_alpha", 1.0) if get("enc_use_scaled_pos_enc", True) else None,
        "encoder_position_dropout": get("transformer_enc_positional_dropout_rate", 0.1),
        "initial_decoder_scale": get("initial_decoder_alpha", 1.0) if get("dec_use_scaled_pos_enc", True) else None,
        "decoder_position_dropout": get("transformer_dec_positional_dropout_rate", 0.1),
    }


def _spectrogram_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    get = arguments.get
    return {
        "num_mels": get("speech_odim", 80),
        "reduction_factor": get("reduction_factor", 2),
        "mel_prenet_layers": get("dprenet_layers", 2),
        "mel_prenet_dim": get("dprenet_units", 256),
        "mel_prenet_dropout": get("dprenet_dropout_rate", 0.5),
        "speaker_dim": get("spk_embed_dim", 512),
        "postnet_layers": get("postnet_layers", 5),
        "postnet_channels": get("postnet_chans", 256),
        "postnet_kernel": get("postnet_filts", 5),
        "postnet_dropout": get("postnet_dropout_rate", 0.5),
        "has_postnet_norm": get("use_batch_norm", True),
    }


def _refuse_unknown(arguments: Mapping[str, Any]) -> None:
    refuse_others(arguments, _REQUIRED)
    if arguments.get("dprenet_layers", 2) == 0:
        raise CheckpointError(
            "the original argument 'dprenet_layers' asks for what this package does not have",
            given=0,
            mend="At least one layer can be used.",
        )
    if arguments.get("latent_dim", 0) not in (0, arguments.get("encoder_embed_dim", 768)):
        raise CheckpointError(
            "the original argument 'latent_dim' asks for what this package does not have",
            given=arguments["latent_dim"],
            mend="Only codes as wide as the encoder can be mixed with its states.",
        )


def _conv_layers(expression: str | None) -> tuple[ConvolutionShape, ...]:
    return SpeechT5Config(vocab_size=1).conv_layers if expression is None else parse_conv_layers(expression)
