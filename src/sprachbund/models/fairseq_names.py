"""How fairseq's models call the weights and arguments of the speech encoder that the whole family shares."""

import re
from collections.abc import Mapping
from typing import Any

from sprachbund.errors import CheckpointError
from sprachbund.nn.transformer import Activation
from sprachbund.nn.waveform_frontend import ConvolutionShape, FrontendNorm

LONGEST_EXPRESSION = 400  # characters
Rules = list[tuple[str, str]]

ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_accurate": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
    "swish": "silu",
    "tanh": "tanh",
    "linear": "linear",
}


def attention_rules(original: str, ours: str) -> Rules:
    """The four projections of an attention."""
    parts = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "out"}
    return [(f"{original}.{theirs}.{{kind}}", f"{ours}.{name}.{{kind}}") for theirs, name in parts.items()]


def stack_rules(name: str) -> Rules:
    """The layers of an encoder or decoder, which is called `name` on both sides."""
    layer = f"{name}.layers.{{n}}"
    return [
        *attention_rules(f"{layer}.self_attn", f"{layer}.attention"),
        (f"{layer}.self_attn_layer_norm.{{kind}}", f"{layer}.attention_norm.{{kind}}"),
        (f"{layer}.fc1.{{kind}}", f"{layer}.feed_forward.inner.{{kind}}"),
        (f"{layer}.fc2.{{kind}}", f"{layer}.feed_forward.outer.{{kind}}"),
        (f"{layer}.final_layer_norm.{{kind}}", f"{layer}.final_norm.{{kind}}"),
        (f"{name}.layer_norm.{{kind}}", f"{name}.norm.{{kind}}"),
    ]


def relative_rules(name: str) -> Rules:
    """The relative positions of the stack `name`, and what normalises them in each layer."""
    return [
        (f"{name}.layers.{{n}}.norm_k.{{kind}}", f"{name}.layers.{{n}}.relative_norm.{{kind}}"),
        (f"{name}.pos_emb.pe_k.weight", f"{name}.relative.table.weight"),
    ]


def text_decoder_rules(name: str) -> Rules:
    """The layers of the decoder `name`, which attends to a memory."""
    layer = f"{name}.layers.{{n}}"
    return [
        *stack_rules(name),
        *attention_rules(f"{layer}.encoder_attn", f"{layer}.memory_attention"),
        (f"{layer}.encoder_attn_layer_norm.{{kind}}", f"{layer}.memory_attention_norm.{{kind}}"),
    ]


def waveform_rules(prefix: str, positions: str, norm: FrontendNorm) -> Rules:
    """What stands before the layers.

    Args:
        prefix: of the original names; ends with a dot, or is empty.
        positions: original name of the convolutional positions.
        norm: kind of the front-end's norms, which decides what they are called.
    """
    theirs, ours = f"{prefix}feature_extractor.conv_layers.{{n}}", "speech_prenet.frontend.blocks.{n}"
    return [
        (f"{theirs}.0.{{kind}}", f"{ours}.convolution.{{kind}}"),
        (f"{theirs}.{'2.1' if norm == 'layer' else '2'}.{{kind}}", f"{ours}.norm.{{kind}}"),
        (f"{prefix}layer_norm.{{kind}}", "speech_prenet.norm.{kind}"),
        (f"{prefix}post_extract_proj.{{kind}}", "speech_prenet.projection.{kind}"),
        (f"{prefix}mask_emb", "speech_prenet.mask_embedding.vector"),
        (f"{positions}.weight_g", "speech_prenet.positions.weight_gain"),
        (f"{positions}.weight_v", "speech_prenet.positions.weight_direction"),
        # What newer torch makes of the same two.
        (f"{positions}.parametrizations.weight.original0", "speech_prenet.positions.weight_gain"),
        (f"{positions}.parametrizations.weight.original1", "speech_prenet.positions.weight_direction"),
        (f"{positions}.bias", "speech_prenet.positions.bias"),
    ]


def parse_conv_layers(expression: str) -> tuple[ConvolutionShape, ...]:
    """Read ``[(512,10,5)] + [(512,3,2)] * 4``: lists of triples of whole numbers, repeated and joined. Nothing is run.

    Raises:
        CheckpointError: the expression is anything else.
    """
    number = r"\s*\d{1,6}\s*"
    triple = rf"\({number},{number},{number},?\s*\)"
    part = rf"\s*\[\s*{triple}\s*(?:,\s*{triple}\s*)*,?\s*\]\s*(?:\*\s*\d{{1,2}}\s*)?"
    if len(expression) > LONGEST_EXPRESSION or not re.fullmatch(rf"{part}(?:\+{part})*", expression):
        raise CheckpointError(
            "the convolution layers cannot be read",
            where="conv_feature_layers",
            given=expression[:LONGEST_EXPRESSION],
            mend="Expected is a sum of lists such as [(512,10,5)] + [(512,3,2)] * 4.",
        )
    layers: list[ConvolutionShape] = []
    for text in expression.split("+"):
        numbers = [int(number) for number in re.findall(r"\d+", text.partition("]")[0])]
        times = re.search(r"\*\s*(\d+)", text)
        triples = [(numbers[i], numbers[i + 1], numbers[i + 2]) for i in range(0, len(numbers), 3)]
        layers.extend(triples * (int(times[1]) if times else 1))
    return tuple(layers)


def refuse_others(arguments: Mapping[str, Any], allowed: Mapping[str, tuple[Any, ...]]) -> None:
    """Refuse arguments that ask for what the package does not have.

    Args:
        arguments: by their original names.
        allowed: name -> the values that may stand there, the usual one first.

    Raises:
        CheckpointError: names the first that has another value.
    """
    for name, values in allowed.items():
        if name in arguments and arguments[name] not in values:
            raise CheckpointError(
                f"the original argument '{name}' asks for what this package does not have",
                given=arguments[name],
                mend=f"Only {values[0]!r} can be used.",
            )


def read_norm(mode: str) -> FrontendNorm:
    """The kind of the front-end's norms that ``extractor_mode`` means.

    Raises:
        CheckpointError: it is not known.
    """
    if mode not in ("default", "layer_norm"):
        raise CheckpointError("the waveform front-end's norm is not known", where="extractor_mode", given=mode)
    return "layer" if mode == "layer_norm" else "group"


def read_activation(name: str) -> Activation:
    """The activation that ``activation_fn`` means.

    Raises:
        CheckpointError: it is not known.
    """
    if name not in ACTIVATIONS:
        raise CheckpointError(
            "the activation is not known",
            where="activation_fn",
            given=name,
            mend=f"Known are: {', '.join(ACTIVATIONS)}.",
        )
    return ACTIVATIONS[name]
