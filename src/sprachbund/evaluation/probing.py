"""Linear probes on frozen features: what a linear map can tell of speech from them (SUPERB, Yang et al., 2021).

The layers are added up with learned weights, a softmax over one number each, and one linear layer reads the sum. Before
that every channel of every layer is given zero mean and unit variance over the training set. This is an affine map, so
the probe stays linear, and it brings MFCC and the layers of any encoder to one scale, on which one learning rate serves
all and the weights of the layers can be compared. A norm of each frame would take away the loudness that MFCC have.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from sprachbund.decoding.ctc.greedy import greedy_ctc
from sprachbund.errors import DataError
from sprachbund.evaluation.error_rates import ErrorCounts, count_word_errors
from sprachbund.evaluation.probe_data import IGNORED, ProbeClip, ProbeSet, ProbeTask, batches, read_features
from sprachbund.shapes import Array, Float, Int, Tensor

SCORED_AT_ONCE = 32  # clips in memory together
# A channel that hardly changes is not blown up: rounding is in it, and little else. As a share of the usual deviation.
SMALLEST_DEVIATION = 1e-3


@dataclass(frozen=True, kw_only=True)
class ProbeConfig:
    """How a probe is trained: with Adam, at a rate that falls to zero along a line."""

    epochs: int
    rate: float = 1e-2
    batch_clips: int = 16


# A linear map cannot tell where phones begin and end, so CTC says too much at first and too little later. What is added
# to the blank's logit makes up for it, and the rate hangs less on the epoch.
BLANK_SHIFTS = (-1.0, 0.0, 1.0, 2.0, 3.0)
# Linear CTC leaves the answer of nothing but blanks late: after 12 epochs on 1.4 hours seeds still differed by five
# points of error, after 40 by less than one. Frames are many, and clips with one label each are few.
EPOCHS = {ProbeTask.PHONES: 40, ProbeTask.FRAMES: 6, ProbeTask.CHARACTERS: 20}


@dataclass(frozen=True, eq=False)
class Scaling:
    """What brings every channel of every layer to zero mean and unit variance."""

    mean: Float[Tensor, "layer channel"]
    deviation: Float[Tensor, "layer channel"]


class LinearProbe(nn.Module):
    """A learned mix of scaled layers, and a linear layer on it.

    Both are one linear map of all layers side by side, and are computed as one, scaling included.

    Args:
        scaling: of the features.
        num_outputs: classes, and the blank last where there is one.
    """

    def __init__(self, scaling: Scaling, num_outputs: int) -> None:
        super().__init__()
        self.scaling = scaling
        num_layers, num_channels = scaling.mean.shape
        self.mix = nn.Parameter(torch.zeros(num_layers))
        self.linear = nn.Linear(num_channels, num_outputs)
        # From zero, so that nothing hangs on first weights: a linear layer has no symmetry that they would break.
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    @property
    def layer_weights(self) -> Float[Tensor, " layer"]:
        """How much of each layer is in the mix; they add up to 1."""
        return self.mix.detach().softmax(dim=0)

    def forward(self, features: Float[Tensor, "frame layer channel"]) -> Float[Tensor, "frame output"]:
        """Logits of every frame; the frames may be of several clips."""
        shares = self.mix.softmax(dim=0)[:, None] / self.scaling.deviation
        weight = self.linear.weight[:, None] * shares  # -> output layer channel
        bias = self.linear.bias - (weight * self.scaling.mean).sum(dim=(1, 2))
        logits: Tensor = F.linear(features.flatten(1), weight.flatten(1), bias)
        return logits


@dataclass(frozen=True, eq=False)
class TrainedProbe:
    """A probe after the epoch whose errors on the validation set were fewest."""

    task: ProbeTask
    probe: LinearProbe
    epoch: int
    valid_rate: float
    blank_shift: float = 0.0
    """What is added to the blank's logit; chosen with the epoch."""


def measure_scaling(clips: Sequence[ProbeClip], task: ProbeTask) -> Scaling:
    """That of what the probe will read of the training clips, some of which are in memory at a time."""
    total = squares = torch.zeros((), dtype=torch.float64)
    count = 0
    for places in batches(len(clips), SCORED_AT_ONCE):
        features = _read([clips[place] for place in places], task)[0].double()
        total, squares = total + features.sum(dim=0), squares + features.square().sum(dim=0)
        count += len(features)
    mean = total / count
    deviation = (squares / count - mean.square()).clamp(min=0).sqrt()
    typical = deviation.square().mean(dim=1, keepdim=True).sqrt()
    smallest = (SMALLEST_DEVIATION * typical).clamp(min=torch.finfo(torch.float32).tiny)
    return Scaling(mean.float(), torch.maximum(deviation, smallest).float())


def train_probe(
    train: ProbeSet,
    valid: ProbeSet,
    task: ProbeTask,
    num_classes: int,
    *,
    seed: int,
    config: ProbeConfig,
    scaling: Scaling,
) -> TrainedProbe:
    """Train a probe; the seed decides its first weights and the order of the clips.

    Raises:
        DataError: stored features cannot be read, or the loss is not a number.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        probe = LinearProbe(scaling, num_classes + (task is ProbeTask.PHONES))
    optimizer = torch.optim.Adam(probe.parameters(), lr=config.rate)
    generator = np.random.default_rng(seed)
    num_steps = config.epochs * -(-len(train.clips) // config.batch_clips)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / num_steps)
    best: TrainedProbe | None = None
    for epoch in range(1, config.epochs + 1):
        for places in batches(len(train.clips), config.batch_clips, generator):
            loss = _loss(probe, [train.clips[place] for place in places], task)
            _check_finite(loss)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
        now = _judge(TrainedProbe(task, probe, epoch, 1.0), valid)
        if best is None or now.valid_rate < best.valid_rate:
            best = replace(now, probe=copy.deepcopy(probe))
    assert best is not None, "there is at least one epoch"
    return best


@torch.no_grad()
def score_probe(trained: TrainedProbe, clips: Sequence[ProbeClip]) -> list[ErrorCounts]:
    """The errors in each clip: edits of its phones, wrong frames, or the wrong speaker."""
    counts = []
    for places in batches(len(clips), SCORED_AT_ONCE):
        group = [clips[place] for place in places]
        features, lengths = _read(group, trained.task)
        answers = trained.probe(features)
        if trained.task is ProbeTask.PHONES:
            answers[:, -1] += trained.blank_shift
        logits = torch.split(answers, lengths.tolist())
        if trained.task is ProbeTask.PHONES:
            counts += _phone_errors(logits, lengths, group)
        else:
            counts += [
                _wrong(rows.argmax(dim=1).numpy(), clip.labels) for rows, clip in zip(logits, group, strict=True)
            ]
    return counts


def pooled_rate(counts: Sequence[ErrorCounts]) -> float:
    """All errors over all that there was to tell."""
    return sum(count.errors for count in counts) / max(1, sum(count.length for count in counts))


def _judge(trained: TrainedProbe, valid: ProbeSet) -> TrainedProbe:
    """The same with its errors on the validation set, and the shift of the blank that makes them fewest."""
    shifts = BLANK_SHIFTS if trained.task is ProbeTask.PHONES else (0.0,)
    shifted = [replace(trained, blank_shift=shift) for shift in shifts]
    rated = [replace(one, valid_rate=pooled_rate(score_probe(one, valid.clips))) for one in shifted]
    return min(rated, key=lambda one: (one.valid_rate, abs(one.blank_shift)))


def _read(
    clips: Sequence[ProbeClip], task: ProbeTask
) -> tuple[Float[Tensor, "frame layer channel"], Int[Tensor, " clip"]]:
    """Features of clips one after another and their lengths; one frame a clip, the mean of all, to tell speakers."""
    array, counts = read_features(clips)
    features, lengths = torch.from_numpy(array), torch.from_numpy(counts)
    if task is not ProbeTask.CHARACTERS:
        return features, lengths
    means = [clip.mean(dim=0) for clip in torch.split(features, counts.tolist())]
    return torch.stack(means), torch.ones_like(lengths)


def _loss(probe: LinearProbe, clips: Sequence[ProbeClip], task: ProbeTask) -> Float[Tensor, ""]:
    """Mean over phones or labels."""
    features, lengths = _read(clips, task)
    logits = probe(features)
    labels = torch.from_numpy(np.concatenate([clip.labels for clip in clips]))
    if task is not ProbeTask.PHONES:
        return F.cross_entropy(logits, labels, ignore_index=IGNORED)
    total = F.ctc_loss(
        nn.utils.rnn.pad_sequence(list(torch.split(logits.log_softmax(dim=1), lengths.tolist()))),
        labels,
        lengths,
        torch.tensor([len(clip.labels) for clip in clips]),
        blank=logits.shape[1] - 1,
        reduction="sum",
        # Of clips with fewer frames than phones nothing can be learned.
        zero_infinity=True,
    )
    return total / len(labels)


def _phone_errors(
    logits: Sequence[Float[Tensor, "_ output"]], lengths: Int[Tensor, " clip"], clips: Sequence[ProbeClip]
) -> list[ErrorCounts]:
    padded = nn.utils.rnn.pad_sequence(list(logits), batch_first=True)
    heard = greedy_ctc(padded, lengths, blank=padded.shape[2] - 1)
    return [
        count_word_errors(" ".join(map(str, clip.labels.tolist())), " ".join(map(str, hypothesis.tokens)))
        for clip, hypothesis in zip(clips, heard, strict=True)
    ]


def _wrong(answers: Int[Array, " label"], labels: Int[Array, " label"]) -> ErrorCounts:
    judged = labels != IGNORED
    hits = int((answers[judged] == labels[judged]).sum())
    return ErrorCounts(substitutions=int(judged.sum()) - hits, insertions=0, deletions=0, hits=hits)


def _check_finite(loss: Float[Tensor, ""]) -> None:
    if not torch.isfinite(loss):
        raise DataError(
            "the probe's loss is no number", given=float(loss.detach()), mend="Look at the features for huge values."
        )
