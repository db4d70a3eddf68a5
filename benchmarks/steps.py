"""How much of the memory's reading speed a decoder step reaches: few rows are multiplied with all weights."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from benchmarks.machine import Ceilings
from sprachbund.models.encoded import Encoded
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.nn.precision import Precision, mixed_precision

SIZES = ((1, 1), (1, 5), (16, 5))
WARM_UP = 4
CPU = torch.device("cpu")


@dataclass(frozen=True)
class StepRow:
    """Steps of so many utterances with so many hypotheses each."""

    utterances: int
    beam: int
    precision: Precision
    seconds: float
    """The middle step."""
    weights: int
    """Bytes of weights that a step reads."""
    states: int
    """Bytes of keys and values: of the memory, and half of what the past comes to."""

    def to_json(self, ceilings: Ceilings) -> dict[str, Any]:
        """Plain values."""
        rate = (self.weights + self.states) / self.seconds
        return {**asdict(self), "rate": rate, "share_of_reading": rate / ceilings.read}


def step_rows(model: SpeechT5, precisions: Sequence[Precision], steps: int, frames: int) -> list[StepRow]:
    """All sizes in all precisions. Hypotheses change places between steps, outside of the measured time."""
    return [
        _measure(model, precision, utterances, beam, (steps, frames))
        for precision in precisions
        for utterances, beam in SIZES
    ]


def _measure(model: SpeechT5, precision: Precision, utterances: int, beam: int, lengths: tuple[int, int]) -> StepRow:
    steps, frames = lengths
    generator = torch.Generator().manual_seed(2)
    dim = model.config.encoder.dim
    memory = Encoded(torch.randn(utterances, frames, dim, generator=generator), torch.full((utterances,), frames))
    first = torch.arange(utterances).repeat_interleave(beam)
    seconds = []
    with torch.inference_mode(), mixed_precision(CPU, precision):
        cache = model.start_cache(memory)
        for step in range(WARM_UP + steps):
            if step:
                ranks = torch.randint(beam, (utterances, beam), generator=generator).sort(dim=1).values
                rows = first if step == 1 else (ranks + beam * torch.arange(utterances)[:, None]).flatten()
                cache.reorder(rows)
            tokens = torch.full((len(cache.groups.utterances), 1), 5)
            start = time.perf_counter()
            model.decode_text(tokens, memory, cache=cache)
            seconds.append(time.perf_counter() - start)
    size = 2 if precision == "bf16" else 4
    layers, width = model.config.decoder.num_layers, model.config.decoder.dim
    states = 2 * layers * width * size * utterances * (frames + steps // 2)
    return StepRow(utterances, beam, precision, statistics.median(seconds[WARM_UP:]), _weights(model, size), states)


def _weights(model: SpeechT5, size: int) -> int:
    """Bytes of all matrices that a step multiplies with; keys and values of the memory are made before."""
    maps = [one for one in model.decoder.layers.modules() if isinstance(one, nn.Linear)]
    total = sum(one.weight.numel() for one in maps) + model.text_head.weight.numel()
    for layer in model.decoder.layers:
        attention: Any = layer.memory_attention
        total -= attention.key.weight.numel() + attention.value.weight.numel()
    return size * total
