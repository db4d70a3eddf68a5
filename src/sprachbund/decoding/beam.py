"""Beam search over utterances and hypotheses at once.

Live hypotheses are rows side by side, those of one utterance next to each other. There are only as many rows as there
are live hypotheses: an utterance begins with one, and leaves the rows when it is done. So nothing is computed for
finished utterances, a beam may be larger than the vocabulary, and no utterance sees what shares its batch.

Of each utterance the `beam` likeliest extensions are looked at in every step; those that end are finished, the others
live on. A beam of 1 is therefore the greedy choice. The search ends where no live hypothesis can beat the finished.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.roles import AllowedTokens, BeamConfig, Finished, LengthNormalized, Scorer
from sprachbund.errors import CheckpointError
from sprachbund.shapes import Float, Int, Tensor


@dataclass(frozen=True)
class Live:
    """The live hypotheses, one a row; rows of one utterance are neighbours, likelier ones first."""

    utterances: Int[Tensor, " row"]
    tokens: Int[Tensor, "row token"]  # without the start
    log_probs: Float[Tensor, " row"]


@dataclass(frozen=True)
class Extensions:
    """The likeliest ways to go on, grouped by utterance, likelier ones first."""

    rows: Int[Tensor, " extension"]  # the live row that is extended
    tokens: Int[Tensor, " extension"]
    log_probs: Float[Tensor, " extension"]


def search_beam(scorer: Scorer, limits: Int[Tensor, " batch"], config: BeamConfig) -> list[list[Hypothesis]]:
    """The best transcripts of every utterance under `scorer`.

    Args:
        scorer: holds one row an utterance.
        limits: longest transcript of each utterance in tokens, the end not counted.
        config: the choices of the search.

    Returns:
        For each utterance at most `config.num_best` hypotheses, best first, and at least one: the empty hypothesis of
        score minus infinity where no token was allowed.

    Raises:
        CheckpointError: the scorer gives values that are not numbers.
    """
    rule = AllowedTokens(eos=config.eos, min_tokens=config.min_tokens, forbidden=config.forbidden)
    ranker = LengthNormalized(config.length_penalty)
    finished = [Finished(config.num_best, ranker) for _ in range(len(limits))]
    live, limit_of = _start(limits), limits.tolist()
    while len(live.utterances):
        num_tokens = live.tokens.shape[1]
        log_probs = _checked(scorer.score(_last_tokens(live, config.start)))
        log_probs = rule.restrict(log_probs, num_tokens, limits[live.utterances])
        extensions = find_extensions(live, log_probs, config.beam)
        kept = _settle(live, extensions, limit_of, finished, config.eos)
        live = _extend(live, extensions, kept)
        if len(live.utterances):
            scorer.reorder(extensions.rows[kept])
    return [pool.hypotheses or [Hypothesis((), -torch.inf, -torch.inf)] for pool in finished]


def find_extensions(live: Live, log_probs: Float[Tensor, "row vocab"], beam: int) -> Extensions:
    """The `beam` likeliest extensions of each utterance by one token; those of probability 0 are none."""
    vocab = log_probs.shape[1]
    totals = live.log_probs[:, None] + log_probs
    _, counts = torch.unique_consecutive(live.utterances, return_counts=True)
    starts = counts.cumsum(0) - counts
    group = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    slot = torch.arange(len(group), device=counts.device) - starts[group]
    table = totals.new_full((len(counts), int(counts.max()), vocab), -torch.inf)
    table[group, slot] = totals  # row vocab -> utterance slot vocab
    # A stable sort, because top-k orders equal scores differently at different batch sizes.
    values, places = table.flatten(1).sort(dim=1, descending=True, stable=True)
    values, places = values[:, :beam], places[:, :beam]
    possible = values > -torch.inf
    rows = starts[:, None] + places // vocab
    return Extensions(rows=rows[possible], tokens=(places % vocab)[possible], log_probs=values[possible])


def _start(limits: Int[Tensor, " batch"]) -> Live:
    """One empty hypothesis an utterance."""
    batch = len(limits)
    return Live(
        utterances=torch.arange(batch, device=limits.device),
        tokens=torch.zeros(batch, 0, dtype=torch.long, device=limits.device),
        log_probs=torch.zeros(batch, device=limits.device),
    )


def _last_tokens(live: Live, start: int) -> Int[Tensor, " row"]:
    """What the scorer is fed: the newest token of each row."""
    return live.tokens[:, -1] if live.tokens.shape[1] else torch.full_like(live.utterances, start)


def _checked(log_probs: Float[Tensor, "row vocab"]) -> Float[Tensor, "row vocab"]:
    """The same log-probabilities in float32, and an error if one is not a number."""
    if bool(log_probs.isnan().any()):
        raise CheckpointError(
            "the decoder gives values that are not numbers",
            given="nan logits",
            mend="Decode an earlier checkpoint; the training that made this one has diverged.",
        )
    return log_probs.float()


def _settle(
    live: Live, extensions: Extensions, limits: Sequence[int], finished: Sequence[Finished], eos: int
) -> Int[Tensor, " kept"]:
    """Collect the extensions that end, and return the places of those that live on."""
    utterances = live.utterances[extensions.rows].tolist()
    num_tokens = live.tokens.shape[1]
    continuing: dict[int, list[int]] = {}
    # Read to the host at once: one wait for the device a step.
    read = zip(extensions.rows.tolist(), extensions.tokens.tolist(), extensions.log_probs.tolist(), strict=True)
    log_probs = []
    for place, (row, token, log_prob) in enumerate(read):
        log_probs.append(log_prob)
        if token == eos:
            finished[utterances[place]].add(live.tokens[row].tolist(), log_prob)
        else:
            continuing.setdefault(utterances[place], []).append(place)
    kept = [
        place
        for utterance, places in continuing.items()
        # The first is the likeliest, and all are of one length: if it cannot win, none can.
        if finished[utterance].is_beaten_by(log_probs[places[0]], num_tokens + 1, limits[utterance])
        for place in places
    ]
    return torch.tensor(kept, dtype=torch.long, device=live.utterances.device)


def _extend(live: Live, extensions: Extensions, kept: Int[Tensor, " kept"]) -> Live:
    """The live hypotheses after the kept extensions."""
    rows = extensions.rows[kept]
    return Live(
        utterances=live.utterances[rows],
        tokens=torch.cat([live.tokens[rows], extensions.tokens[kept][:, None]], dim=1),
        log_probs=extensions.log_probs[kept],
    )
