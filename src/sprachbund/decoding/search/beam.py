"""Beam search over utterances and hypotheses at once, under several scorers.

Live hypotheses are rows side by side, those of one utterance next to each other. There are only as many rows as there
are live hypotheses: an utterance begins with one, and leaves the rows when it is done. So nothing is computed for
finished utterances, a beam may be larger than the vocabulary, and no utterance sees what shares its batch.

Of each utterance the `beam` likeliest extensions are looked at in every step; those that end are finished, the others
live on. A beam of 1 is therefore the greedy choice. The search ends where no live hypothesis can beat the finished.
How scorers are put together is said in `fusion.py`, other ends of the search in `ending.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.search.ending import Ending, ending_of
from sprachbund.decoding.search.fusion import Fusion, WeightedSum
from sprachbund.decoding.search.groups import Groups
from sprachbund.decoding.search.roles import AllowedTokens, BeamConfig, LengthNormalized, Weighted
from sprachbund.errors import CheckpointError, RecipeError
from sprachbund.shapes import Float, Int, Tensor


@dataclass(frozen=True)
class Live:
    """The live hypotheses, one a row; rows of one utterance are neighbours, likelier ones first."""

    utterances: Int[Tensor, " row"]
    tokens: Int[Tensor, "row token"]  # without the start
    log_probs: Float[Tensor, " row"]
    parts: Float[Tensor, "row scorer"]  # what each scorer gave, without its weight


@dataclass(frozen=True)
class Extensions:
    """The likeliest ways to go on, grouped by utterance, likelier ones first."""

    rows: Int[Tensor, " extension"]  # the live row that is extended
    tokens: Int[Tensor, " extension"]
    log_probs: Float[Tensor, " extension"]


def search_beam(
    scorers: Sequence[Weighted], limits: Int[Tensor, " batch"], config: BeamConfig, fusion: Fusion | None = None
) -> list[list[Hypothesis]]:
    """The best transcripts of every utterance under the scorers together.

    Args:
        scorers: each holds one row an utterance; no two of one name.
        limits: longest transcript of each utterance in tokens, the end not counted.
        config: the choices of the search.
        fusion: how the scorers are put together; the weighted sum where it is not said.

    Returns:
        For each utterance at most `config.num_best` hypotheses, best first, and at least one: the empty hypothesis of
        score minus infinity where no token was allowed, or none possible. Sums are kept in double precision.

    Raises:
        CheckpointError: a scorer gives values that are not numbers.
        RecipeError: two scorers have one name, or none has a weight.
    """
    names = _checked_names(scorers)
    fusion = fusion or WeightedSum({scorer.name: scorer.weight for scorer in scorers})
    rule = AllowedTokens(eos=config.eos, min_tokens=config.min_tokens, forbidden=config.forbidden)
    ranker = LengthNormalized(config.length_penalty, config.length_bonus)
    endings = [ending_of(config, ranker) for _ in range(len(limits))]
    width = config.beam * (2 if config.ending == "fairseq" else 1)
    live, limit_of = _start(limits, len(names)), limits.tolist()
    while len(live.utterances):
        num_tokens, last = live.tokens.shape[1], _last_tokens(live, config.start)
        scores = {weighted.name: _checked(weighted.scorer.score(last), weighted.name) for weighted in scorers}
        fused = fusion.fuse(scores, live.utterances, num_tokens)
        extensions = find_extensions(live, rule.restrict(fused, num_tokens, limits[live.utterances]), width)
        extended = _extend(live, extensions, torch.stack(list(scores.values())))
        kept = _settle(extended, limit_of, endings, _Finisher(names, ranker, config.eos))
        live = _keep(extended, kept)
        if len(live.utterances):
            rows = extensions.rows[kept]
            for weighted in scorers:
                weighted.scorer.reorder(rows)
    return [ending.best() or [Hypothesis((), -torch.inf, -torch.inf)] for ending in endings]


def find_extensions(live: Live, log_probs: Float[Tensor, "row vocab"], beam: int) -> Extensions:
    """The `beam` likeliest extensions of each utterance by one token; those of probability 0 are none."""
    vocab = log_probs.shape[1]
    groups = Groups.of(live.utterances)
    table = groups.spread(live.log_probs[:, None] + log_probs, -torch.inf)
    values, places = first_largest(table.flatten(1), beam)  # utterance slot vocab -> utterance slot*vocab
    possible = values > -torch.inf
    rows = groups.starts[:, None] + places // vocab
    return Extensions(rows=rows[possible], tokens=(places % vocab)[possible], log_probs=values[possible])


def first_largest(
    values: Float[Tensor, "batch place"], count: int
) -> tuple[Float[Tensor, "batch largest"], Int[Tensor, "batch largest"]]:
    """The largest values and their places, in falling order; of equal ones the first.

    Top-k alone orders equal values differently at different batch sizes, and sorting everything takes far longer.
    """
    count = min(count, values.shape[1])
    least = values.topk(count, dim=1).values[:, -1:]
    is_above, is_least = values > least, values == least
    room = count - is_above.sum(dim=1, keepdim=True)
    chosen = is_above | (is_least & (is_least.cumsum(dim=1) <= room))
    places = chosen.nonzero()[:, 1].view(len(values), count)
    largest, order = values.gather(1, places).sort(dim=1, descending=True, stable=True)
    return largest, places.gather(1, order)


def _checked_names(scorers: Sequence[Weighted]) -> list[str]:
    names = [scorer.name for scorer in scorers]
    if len(set(names)) < len(names):
        raise RecipeError("two scorers have one name", given=", ".join(names), mend="Give each its own name.")
    if not any(scorer.weight for scorer in scorers):
        raise RecipeError("nothing has a say in the search", mend="Give one scorer a weight above 0.")
    return names


def _start(limits: Int[Tensor, " batch"], num_scorers: int) -> Live:
    """One empty hypothesis an utterance."""
    batch, device = len(limits), limits.device
    return Live(
        utterances=torch.arange(batch, device=device),
        tokens=torch.zeros(batch, 0, dtype=torch.long, device=device),
        log_probs=torch.zeros(batch, dtype=torch.float64, device=device),
        parts=torch.zeros(batch, num_scorers, dtype=torch.float64, device=device),
    )


def _last_tokens(live: Live, start: int) -> Int[Tensor, " row"]:
    """What the scorers are fed: the newest token of each row."""
    return live.tokens[:, -1] if live.tokens.shape[1] else torch.full_like(live.utterances, start)


def _checked(log_probs: Float[Tensor, "row vocab"], name: str) -> Float[Tensor, "row vocab"]:
    """The same log-probabilities in double precision, and an error if one is not a number."""
    if bool(log_probs.isnan().any()):
        raise CheckpointError(
            f"the scorer {name} gives values that are not numbers",
            given="nan logits",
            mend="Decode an earlier checkpoint; the training that made this one has diverged.",
        )
    return log_probs.double()


def _extend(live: Live, extensions: Extensions, scores: Float[Tensor, "scorer row vocab"]) -> Live:
    """Every extension as a hypothesis, the ended ones among them."""
    rows, tokens = extensions.rows, extensions.tokens
    return Live(
        utterances=live.utterances[rows],
        tokens=torch.cat([live.tokens[rows], tokens[:, None]], dim=1),
        log_probs=extensions.log_probs,
        parts=live.parts[rows] + scores[:, rows, tokens].T,
    )


@dataclass(frozen=True)
class _Finisher:
    """Makes hypotheses of rows that end."""

    names: Sequence[str]
    ranker: LengthNormalized
    eos: int

    def finish(self, extended: Live, places: Sequence[int]) -> list[Hypothesis]:
        """The hypotheses of these rows, whose last token is the end."""
        chosen = torch.tensor(places, dtype=torch.long, device=extended.utterances.device)
        ended = _keep(extended, chosen)
        read = zip(ended.tokens[:, :-1].tolist(), ended.log_probs.tolist(), ended.parts.tolist(), strict=True)
        return [
            Hypothesis(
                tokens=tuple(tokens),
                score=self.ranker.score(log_probability, len(tokens)),
                log_probability=log_probability,
                parts=dict(zip(self.names, parts, strict=True)),
            )
            for tokens, log_probability, parts in read
        ]


def _settle(
    extended: Live, limits: Sequence[int], endings: Sequence[Ending], finisher: _Finisher
) -> Int[Tensor, " kept"]:
    """Collect the extensions that end, and return the places of those that live on."""
    # Read to the host at once: few waits for the device a step, none a row.
    utterances, log_probs = extended.utterances.tolist(), extended.log_probs.tolist()
    is_end = (extended.tokens[:, -1] == finisher.eos).tolist()
    places: dict[int, list[int]] = {}
    for place, utterance in enumerate(utterances):
        places.setdefault(utterance, []).append(place)
    ended, continuing = list[int](), dict[int, list[int]]()
    for utterance, group in places.items():
        finished, others = endings[utterance].split([is_end[place] for place in group])
        ended.extend(group[place] for place in finished)
        continuing[utterance] = [group[place] for place in others]
    if ended:
        for place, hypothesis in zip(ended, finisher.finish(extended, ended), strict=True):
            endings[utterances[place]].add(hypothesis)
    num_tokens = extended.tokens.shape[1]
    kept = [
        place
        for utterance, group in continuing.items()
        # The first is the likeliest, and all are of one length: if it cannot win, none can.
        if group and endings[utterance].is_open(log_probs[group[0]], num_tokens, limits[utterance])
        for place in group
    ]
    return torch.tensor(kept, dtype=torch.long, device=extended.utterances.device)


def _keep(hypotheses: Live, places: Int[Tensor, " kept"]) -> Live:
    """These rows."""
    return Live(
        hypotheses.utterances[places], hypotheses.tokens[places], hypotheses.log_probs[places], hypotheses.parts[places]
    )
