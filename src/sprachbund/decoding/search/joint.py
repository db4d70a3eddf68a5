"""Joint search: a text decoder, CTC and language models together (Watanabe et al., 2017)."""

from collections.abc import Sequence

import torch

from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.search.attention import AttentionScorer, CacheType, MemoryType, TextDecoder, select_rows
from sprachbund.decoding.search.beam import search_beam
from sprachbund.decoding.search.ctc_prefix import CtcOutput, CtcPrefixScorer
from sprachbund.decoding.search.fusion import CTC, DECODER, Fusion, SpeechT5Fusion, SpeechUTFusion, WeightedSum
from sprachbund.decoding.search.roles import BeamConfig, Weighted
from sprachbund.errors import RecipeError


@torch.no_grad()
def decode_joint(
    decoder: TextDecoder[MemoryType, CacheType] | None,
    memory: MemoryType,
    config: BeamConfig,
    *,
    ctc: CtcOutput | None,
    ctc_weight: float = 0.3,
    extra: Sequence[Weighted] = (),
) -> list[list[Hypothesis]]:
    """The best transcripts of every utterance: (1 - w) x decoder + w x CTC + the weighted others.

    Args:
        decoder: the model, in evaluation mode; None, and a `ctc_weight` of 1, where it has no text decoder.
        memory: its encoder's output; an utterance of 0 frames gives the empty hypothesis of score 0.
        config: the choices of the search; longest transcripts are counted from the memory's frames.
        ctc: what the CTC head says of the same utterances; None, and a `ctc_weight` of 0, where the model has none.
        ctc_weight: w, from 0 to 1; with 0 CTC is not asked, and with 1 the decoder is not.
        extra: language models, which hold one row an utterance and have not scored yet; a weight of 0 leaves one out.

    Returns:
        For each utterance, in the order of the batch, 1 to `config.num_best` hypotheses, best first. Their `parts`
        are the log-probabilities of "decoder", "ctc" and the others, without their weights.

    Raises:
        CheckpointError: a scorer gives values that are not numbers.
        RecipeError: a weight is no weight, or nothing is left to search with.
    """
    if not 0.0 <= ctc_weight <= 1.0:
        raise RecipeError("the weight of CTC cannot be used", given=ctc_weight, mend="Give a number from 0 to 1.")
    found = [[Hypothesis((), 0.0, 0.0)] for _ in range(len(memory.lengths))]
    spoken = memory.lengths.nonzero()[:, 0]
    if len(spoken) == 0:
        return found
    extra = [weighted for weighted in extra if weighted.weight]
    if len(spoken) < len(memory.lengths):
        memory = select_rows(memory, spoken)
        ctc = None if ctc is None else CtcOutput(ctc.logits[spoken], ctc.lengths[spoken], ctc.blank)
        for weighted in extra:
            weighted.scorer.reorder(spoken)
    scorers = [*_own_scorers(decoder, memory, config, ctc, ctc_weight), *extra]
    limits = torch.tensor([config.limit(length) for length in memory.lengths.tolist()], device=memory.lengths.device)
    results = search_beam(scorers, limits, config, _fusion(scorers, config, ctc))
    for utterance, hypotheses in zip(spoken.tolist(), results, strict=True):
        found[utterance] = hypotheses
    return found


def _own_scorers(
    decoder: TextDecoder[MemoryType, CacheType] | None,
    memory: MemoryType,
    config: BeamConfig,
    ctc: CtcOutput | None,
    ctc_weight: float,
) -> list[Weighted]:
    """The decoder and CTC, each only where it has a say."""
    scorers = []
    # Both rules of the originals choose candidates by the decoder, whatever its weight.
    if ctc_weight < 1.0 or config.candidates != "all":
        if decoder is None:
            raise RecipeError("this model has no text decoder", given=f"a CTC weight of {ctc_weight}", mend="Give 1.")
        scorers.append(Weighted(DECODER, AttentionScorer(decoder, memory), 1.0 - ctc_weight))
    if ctc_weight > 0.0:
        if ctc is None:
            raise RecipeError("this model has no CTC head", given=f"a weight of {ctc_weight}", mend="Give CTC 0.")
        scorers.append(Weighted(CTC, CtcPrefixScorer(ctc, eos=config.eos), ctc_weight))
    return scorers


def _fusion(scorers: Sequence[Weighted], config: BeamConfig, ctc: CtcOutput | None) -> Fusion:
    """The rule that `config` names."""
    weights = {weighted.name: weighted.weight for weighted in scorers}
    if ctc is None or config.candidates == "all":
        return WeightedSum(weights)
    if config.candidates == "speecht5":
        return SpeechT5Fusion(weights, config.beam, ctc.blank, config.masks)
    return SpeechUTFusion(weights, config.beam, ctc.blank, ctc.lengths)
