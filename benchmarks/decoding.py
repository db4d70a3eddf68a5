"""Whole decoding against the peer's `generate`, and joint search against a loop over utterances."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import SpeechT5ForSpeechToText as Peer

from benchmarks.loop import search_each
from benchmarks.peer import START
from benchmarks.timing import Ratio, Timing, interleave
from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.search.ctc_prefix import CtcOutput
from sprachbund.decoding.search.joint import decode_joint
from sprachbund.decoding.search.roles import BeamConfig
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.nn.precision import Precision, mixed_precision

SAMPLING_RATE = 16_000
CPU = torch.device("cpu")
PADDING, BLANK = 1, 0
LOOP = "loop"
LOOP_TARGET = 10.0


@dataclass(frozen=True)
class DecodingRow:
    """One task in one precision of ours."""

    task: str
    precision: Precision
    target: float
    """How many times faster than the first of `peer` it must be."""
    ours: Timing
    peer: Mapping[str, Timing]
    agreement: str
    """What of the transcripts is the same."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        ratios = {name: asdict(Ratio.between(one, self.ours)) for name, one in self.peer.items()}
        peer = {name: one.summary() for name, one in self.peer.items()}
        return {**asdict(self), "ours": self.ours.summary(), "peer": peer, "ratios": ratios}


@dataclass(frozen=True)
class Work:
    """What is decoded: recordings of random noise, each to the same number of tokens, the end among them."""

    number: int
    seconds: float
    steps: int
    beam: int

    def waveforms(self) -> Tensor:
        """Recording by recording, not padded."""
        generator = torch.Generator().manual_seed(1)
        return 0.1 * torch.randn(self.number, int(self.seconds * SAMPLING_RATE), generator=generator)

    def config(self, beam: int) -> BeamConfig:
        """All tokens but the last are free, and the last is the end."""
        return BeamConfig(beam=beam, num_best=beam, min_tokens=self.steps - 1, max_tokens=self.steps - 1)

    def __str__(self) -> str:
        recordings = f"{self.number} x " if self.number > 1 else ""
        return f"{recordings}{self.seconds:g} s, beam {self.beam}, {self.steps} tokens"


def generate_rows(
    peer: Peer, ours: SpeechT5, work: Work, targets: Mapping[Precision, float], rounds: int
) -> list[DecodingRow]:
    """Encoder and attention beam, ours and the peer's `generate` with its caches.

    Raises:
        RuntimeError: the greedy transcripts are not the same.
    """
    waveforms = work.waveforms()

    def run(side: str, precision: Precision, beam: int) -> list[tuple[int, ...]]:
        with torch.inference_mode(), mixed_precision(CPU, precision):
            if side == "peer":
                return _generate(peer, waveforms, work.steps, beam)
            return _tokens(_search(ours, waveforms, work.config(beam)))

    if run("peer", "float32", 1) != run("ours", "float32", 1):
        raise RuntimeError("the two sides give different greedy transcripts")
    expected = run("peer", "float32", work.beam)
    agreement = {precision: _agreement(expected, run("ours", precision, work.beam)) for precision in targets}
    contestants = {
        f"{side} {precision}": (lambda side=side, precision=precision: run(side, precision, work.beam))
        for precision in targets
        for side in ("peer", "ours")
    }
    times = interleave(contestants, rounds, warm_up=False)  # the comparison was one
    peers = {str(precision): times[f"peer {precision}"] for precision in targets}
    return [
        DecodingRow(str(work), precision, target, times[f"ours {precision}"], peers, agreement[precision])
        for precision, target in targets.items()
    ]


def loop_rows(ours: SpeechT5, work: Work, precisions: Sequence[Precision], rounds: int) -> list[DecodingRow]:
    """Joint search with CTC, from encoder states on, against one utterance after the other in float32.

    Raises:
        RuntimeError: the transcripts in float32 are not the same.
    """
    weight, config = 0.3, work.config(work.beam)
    with torch.inference_mode():
        waveforms = work.waveforms()
        memory = ours.encode_speech(waveforms, _lengths(waveforms))
        output = CtcOutput(ours.ctc_logits(memory), memory.lengths, BLANK)

        def together(precision: Precision) -> list[Hypothesis]:
            with mixed_precision(CPU, precision):
                return [one[0] for one in decode_joint(ours, memory, config, ctc=output, ctc_weight=weight)]

        def one_by_one() -> list[Hypothesis]:
            return search_each(ours, memory, output, config, ctc_weight=weight)

        expected = one_by_one()
        agreement = {precision: _same_best(expected, together(precision)) for precision in precisions}
        if agreement["float32"] != _same_best(expected, expected):
            raise RuntimeError("the two searches give different transcripts")
        contestants = {precision: (lambda precision=precision: together(precision)) for precision in precisions}
        times = interleave({LOOP: one_by_one, **contestants}, rounds, warm_up=False)
    return [
        DecodingRow(f"joint, {work}", precision, LOOP_TARGET, times[precision], {LOOP: times[LOOP]}, told)
        for precision, told in agreement.items()
    ]


def _same_best(expected: Sequence[Hypothesis], found: Sequence[Hypothesis]) -> str:
    """Of how many utterances the best transcript is the same."""
    same = sum(one.tokens == other.tokens for one, other in zip(expected, found, strict=True))
    return f"{same} of {len(expected)} transcripts"


def _generate(peer: Peer, waveforms: Tensor, steps: int, beam: int) -> list[tuple[int, ...]]:
    """All hypotheses of the beam, from best to worst, without start and end."""
    side: Any = peer  # its annotations do not fit its own models
    # It runs as many decoder steps as ours; it gives the forced end no score, so the order may differ from ours.
    found = side.generate(
        input_values=waveforms,
        num_beams=beam,
        num_return_sequences=beam,
        min_new_tokens=steps - 1,
        max_new_tokens=steps,
        do_sample=False,
        use_cache=True,
        decoder_start_token_id=START,
        eos_token_id=START,
        forced_eos_token_id=START,
        pad_token_id=PADDING,
        bos_token_id=BLANK,
    )
    return [tuple(row[1:-1]) for row in found.tolist()]


def _search(model: SpeechT5, waveforms: Tensor, config: BeamConfig) -> list[list[Hypothesis]]:
    memory = model.encode_speech(waveforms, _lengths(waveforms))
    return decode_joint(model, memory, config, ctc=None, ctc_weight=0.0)


def _tokens(found: Sequence[Sequence[Hypothesis]]) -> list[tuple[int, ...]]:
    return [one.tokens for hypotheses in found for one in hypotheses]


def _agreement(expected: Sequence[tuple[int, ...]], found: Sequence[tuple[int, ...]]) -> str:
    """How many hypotheses of the peer's beams are among ours, whatever their order."""
    beams = max(len(expected), 1)
    same = sum(one in set(found) for one in expected)
    return f"{same} of {beams} hypotheses"


def _lengths(waveforms: Tensor) -> Tensor:
    return torch.full((len(waveforms),), waveforms.shape[1])
