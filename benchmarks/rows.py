"""The rows of the table: what is timed, against what, and what it must reach."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import SpeechT5ForSpeechToText as Peer

from benchmarks.machine import Ceilings
from benchmarks.peer import START, VOCAB_SIZE, OurEncoder, OurLoss, PeerEncoder, PeerLoss
from benchmarks.timing import Ratio, Timing, interleave
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.nn.precision import Precision, mixed_precision

SAMPLING_RATE = 16_000
# Largest difference over the largest value, of ours from the peer in float32.
AGREEMENT = 1e-4
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Row:
    """One task in one precision of ours."""

    task: str
    precision: Precision
    target: float
    """How many times faster than the peer in float32 it must be."""
    ours: Timing
    peer: dict[str, Timing]
    """By precision."""
    difference: float
    """From the peer in float32."""
    flops: float
    """Of the peer, for one run; both are charged the same work."""
    ratios: dict[str, Ratio] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ratios", {kind: Ratio.between(one, self.ours) for kind, one in self.peer.items()})

    def to_json(self, ceilings: Ceilings) -> dict[str, Any]:
        """Plain values; shares are those of the ceiling of the same precision."""
        ceiling: dict[str, float | None] = {"float32": ceilings.float32, "bf16": ceilings.bf16}
        return {
            "task": self.task,
            "precision": self.precision,
            "target": self.target,
            "ours": _timing(self.ours, self.flops, ceiling[self.precision]),
            "peer": {kind: _timing(one, self.flops, ceiling[kind]) for kind, one in self.peer.items()},
            "ratios": {kind: asdict(ratio) for kind, ratio in self.ratios.items()},
            "difference": self.difference,
            "flops": self.flops,
        }


def _timing(timing: Timing, flops: float, ceiling: float | None) -> dict[str, float | None]:
    return {**timing.summary(), "share_of_ceiling": None if ceiling is None else flops / timing.median / ceiling}


def encoder_rows(
    peer: Peer, ours: SpeechT5, seconds: float, targets: Mapping[Precision, float], rounds: int
) -> list[Row]:
    """Encoding one recording, in inference mode."""
    waveforms = 0.1 * torch.randn(1, int(seconds * SAMPLING_RATE), generator=torch.Generator().manual_seed(1))
    sides = {"peer": PeerEncoder(peer).eval(), "ours": OurEncoder(ours).eval()}

    def run(side: str, precision: Precision) -> Tensor:
        with torch.inference_mode(), mixed_precision(CPU, precision):
            states: Tensor = sides[side](waveforms)
        return states

    differences = _differences(run, targets)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        sides["peer"](waveforms)
    return _rows(f"encoder, {seconds:g} s", run, targets, differences, counter.get_total_flops(), rounds)


def training_rows(
    peer: Peer, ours: SpeechT5, batch: tuple[int, float, int], targets: Mapping[Precision, float], rounds: int
) -> list[Row]:
    """One optimizer step of recognition: forward, backward, update.

    Args:
        peer: theirs.
        ours: with the same weights.
        batch: recordings, seconds of each, tokens of each.
        targets: by precision.
        rounds: timed ones.
    """
    number, seconds, length = batch
    generator = torch.Generator().manual_seed(1)
    waveforms = 0.1 * torch.randn(number, int(seconds * SAMPLING_RATE), generator=generator)
    tokens = torch.randint(4, VOCAB_SIZE - 2, (number, length - 1), generator=generator)
    tokens = torch.cat([tokens, torch.full((number, 1), START)], dim=1)
    sides: dict[str, nn.Module] = {"peer": PeerLoss(peer).eval(), "ours": OurLoss(ours).eval()}

    def loss(side: str, precision: Precision) -> Tensor:
        with mixed_precision(CPU, precision):
            value: Tensor = sides[side](waveforms, tokens)
        return value

    with torch.no_grad():
        differences = _differences(loss, targets)
        with FlopCounterMode(display=False) as counter:
            loss("peer", "float32")
    # A backward pass is two products for each one forward.
    flops = 3 * counter.get_total_flops()
    # The same optimizer for both, and all of it in one pass over the weights.
    optimizers = {
        side: torch.optim.AdamW(module.train().parameters(), lr=1e-5, fused=True) for side, module in sides.items()
    }

    def step(side: str, precision: Precision) -> Tensor:
        value = loss(side, precision)
        value.backward()  # type: ignore[no-untyped-call]
        optimizers[side].step()
        optimizers[side].zero_grad(set_to_none=True)
        return value.detach()

    name = f"recognition step, {number} x {seconds:g} s"
    return _rows(name, step, targets, differences, flops, rounds)


def _differences(
    run: Callable[[str, Precision], Tensor], precisions: Mapping[Precision, float]
) -> dict[Precision, float]:
    """How far ours is from the peer in float32.

    Raises:
        RuntimeError: farther than rounding explains, so that times would say nothing.
    """
    expected = run("peer", "float32").float()

    def difference(side: str, precision: Precision) -> float:
        return float((run(side, precision).float() - expected).abs().max() / expected.abs().max())

    found = {precision: difference("ours", precision) for precision in precisions}
    for precision, value in found.items():
        # In bf16 the peer is not itself either.
        allowed = AGREEMENT if precision == "float32" else 0.01 + 2 * difference("peer", precision)
        if not value <= allowed:
            raise RuntimeError(f"the two sides differ by {value:.2g} in {precision}")
    return found


def _rows(
    task: str,
    run: Callable[[str, Precision], Tensor],
    targets: Mapping[Precision, float],
    differences: Mapping[Precision, float],
    flops: float,
    rounds: int,
) -> list[Row]:
    contestants = {
        f"{side} {precision}": (lambda side=side, precision=precision: run(side, precision))
        for precision in targets
        for side in ("peer", "ours")
    }
    times = interleave(contestants, rounds)
    peers = {str(precision): times[f"peer {precision}"] for precision in targets}
    return [
        Row(task, precision, target, times[f"ours {precision}"], peers, differences[precision], flops)
        for precision, target in targets.items()
    ]
