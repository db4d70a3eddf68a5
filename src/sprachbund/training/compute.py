"""How the arithmetic of a run is done: precision, what is kept for the backward pass, and compiled layers."""

import os
import shutil
from dataclasses import dataclass

from torch import nn

from sprachbund.errors import RecipeError
from sprachbund.nn.causal import CausalStack
from sprachbund.nn.convolutional_transformer import ConvolutionalStack
from sprachbund.nn.decoder import DecoderStack
from sprachbund.nn.precision import Precision
from sprachbund.nn.transformer import EncoderStack


@dataclass(frozen=True, kw_only=True)
class ComputeConfig:
    """Choices that change speed and memory, and results by rounding alone (and which numbers dropout draws)."""

    precision: Precision = "float32"  # of matrix products; bf16 where the processor or the GPU has it
    checkpoint_activations: bool = False  # keep the inputs of Transformer layers alone, and compute those twice
    compile: bool = False  # torch.compile of each Transformer layer; takes minutes at the start, and a C++ compiler


def prepare(model: nn.Module, config: ComputeConfig) -> None:
    """Set a model up before it is trained; its weights and their names stay as they are.

    Layers are compiled one by one, so that code made for the first of a stack serves the others, layer drop and
    checkpoints stay outside, and batches of any size share it.

    Raises:
        RecipeError: layers are to be compiled, and there is no compiler.
    """
    if config.compile:
        _require_compiler()
    for stack in model.modules():
        if isinstance(stack, EncoderStack | DecoderStack | CausalStack | ConvolutionalStack):
            stack.recomputes = config.checkpoint_activations
            for layer in stack.layers if config.compile else ():
                layer.compile(dynamic=True)


def _require_compiler() -> None:
    names = [name for name in (os.environ.get("CXX"), "g++", "clang++") if name]
    if not any(map(shutil.which, names)):
        raise RecipeError(
            "layers cannot be compiled: no C++ compiler is found",
            where="compute.compile",
            given=f"looked for {', '.join(names)}",
            mend="Install g++, or set compute.compile: false.",
        )
