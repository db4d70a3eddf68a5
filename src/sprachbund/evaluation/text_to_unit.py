"""How far units of text are from the units of the same words spoken: unit error rates on held-out aligned speech.

The rate is that of edits (substituted, inserted and missing units) over the units that were heard, like a word error
rate; on all units, and on reduced ones (17 17 296 296 20 counted as 17 296 20).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sprachbund.checkpoints.store import StoredModel
from sprachbund.data.paired_units import PairedCuts, PairedExample, Pairing, paired_cuts
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.decoding.text_to_units import lengthened_units, load_unit_writer, units_of
from sprachbund.errors import CheckpointError, DataError
from sprachbund.evaluation.error_rates import ErrorCounts, ErrorRate, count_word_errors, error_rate
from sprachbund.evaluation.unit_baselines import OtherRenderings, commonest_units
from sprachbund.models.table import TextModel
from sprachbund.models.text_to_unit.model import TextToUnit
from sprachbund.shapes import Array, Int
from sprachbund.tokens.reduction import reduced
from sprachbund.tokens.vocabulary import PAD, Vocabulary

COMMONEST, RENDERINGS = "commonest unit of each phone, true durations", "other rendering of each phone, true durations"
TRUE_DURATIONS, OWN_DURATIONS, GENERATOR = "model, true durations", "model, own durations", "generator"
_CLIPS = 16  # of a batch

Units = Int[Array, " _"]


@dataclass(frozen=True)
class SystemErrors:
    """How far the units of one system are from those that were heard."""

    units: ErrorRate | None  # edits; None of a system that makes reduced units alone
    misplaced: float | None  # share of units that differ place by place, where both are equally long
    reduced: ErrorRate


@dataclass(frozen=True)
class TextToUnitQuality:
    """Figures of a model beside simpler ways to units."""

    systems: Mapping[str, SystemErrors]
    gain: Mapping[str, float]  # of the model's unit error rate over that of the commonest units: 0.1 is a tenth fewer
    clips: int
    unaligned: int  # clips that are left out
    units: int  # of the clips
    train_clips: int
    train_units: int
    seed: int  # of the choice of renderings


def text_to_unit_quality(folders: Sequence[Path], manifest: Path, train: Path, *, seed: int = 0) -> TextToUnitQuality:
    """Compare the units that models make of the phones of held-out clips with those clips' own.

    Args:
        folders: models from phones to units, of one unit model.
        manifest: the held-out clips, aligned and labelled.
        train: the clips that the models have learned from, for the baselines; as many of them as the models took.
        seed: of the choice of renderings.

    Raises:
        CheckpointError: a model of another kind, or models that have not learned the same units.
        DataError, VocabularyError: manifests that do not fit the models.
    """
    loaded = [load_unit_writer(folder) for folder in folders]
    facts = _common_facts([stored for stored, _ in loaded], folders)
    pairing = Pairing.from_facts(facts)
    held_out = paired_cuts(read_cuts(manifest), pairing.fingerprint)
    heard = _examples(held_out, pairing)
    learned = _examples(paired_cuts(read_cuts(train), pairing.fingerprint, max_minutes=facts["max_minutes"]), pairing)
    made = _simple(learned, heard, seed)
    for stored, model in loaded:
        assert stored.tokenizer is not None, "checked when the model was read"
        made |= _made(model, stored.tokenizer.vocabulary, heard)
    systems = {name: _errors(heard, units, name == GENERATOR) for name, units in made.items()}
    return TextToUnitQuality(
        systems=systems,
        gain={name: _gain(systems, name) for name in (TRUE_DURATIONS, OWN_DURATIONS) if name in systems},
        clips=len(heard),
        unaligned=held_out.num_unaligned,
        units=sum(len(example.units) for example in heard),
        train_clips=len(learned),
        train_units=sum(len(example.units) for example in learned),
        seed=seed,
    )


def _common_facts(stored: Sequence[StoredModel], folders: Sequence[Path]) -> dict[str, Any]:
    names = ("unit_model", "unit_rate", "keep_every", "word_positions", "max_minutes")
    found = [{name: one.facts.get(name) for name in names} for one in stored]
    if any(facts != found[0] for facts in found):
        raise CheckpointError(
            "these models have not learned the same units from the same speech",
            where=", ".join(map(str, folders)),
            mend="Compare models of one unit model, one rate and one amount of speech.",
        )
    return found[0]


def _examples(found: PairedCuts, pairing: Pairing) -> list[PairedExample]:
    examples = [example for example in map(pairing, found.cuts) if len(example.units)]
    if not examples:
        raise DataError("no clip has a unit", given=f"{len(found.cuts)} clips", mend="Give longer clips.")
    return examples


def _simple(learned: list[PairedExample], heard: list[PairedExample], seed: int) -> dict[str, list[Units]]:
    commonest, others = commonest_units(learned), OtherRenderings(learned, seed)
    return {
        COMMONEST: [
            np.repeat([commonest.get(phone, 0) for phone in example.phones], example.durations) for example in heard
        ],
        RENDERINGS: [others.of(example) for example in heard],
    }


def _made(model: TextModel, vocabulary: Vocabulary, heard: list[PairedExample]) -> dict[str, list[Units]]:
    """Units of a model, by what it was told."""
    batches = [heard[start : start + _CLIPS] for start in range(0, len(heard), _CLIPS)]
    phones = [[vocabulary.ids_of(example.phones) for example in batch] for batch in batches]
    if not isinstance(model, TextToUnit):
        # Of a generator that finds no end, nothing counts as made.
        made = [np.zeros(0, dtype=np.int64) if one is None else one for ids in phones for one in units_of(model, ids)]
        return {GENERATOR: made}
    own = [one for ids in phones for one in units_of(model, ids) if one is not None]
    return {TRUE_DURATIONS: list(_with_true_durations(model, batches, phones)), OWN_DURATIONS: own}


def _with_true_durations(
    model: TextToUnit, batches: list[list[PairedExample]], phones: list[list[list[int]]]
) -> Iterator[Units]:
    for batch, ids in zip(batches, phones, strict=True):
        lengths = torch.tensor([len(row) for row in ids])
        tokens = torch.full((len(ids), int(lengths.max())), PAD)
        durations = torch.zeros_like(tokens)
        for row, (example, one) in enumerate(zip(batch, ids, strict=True)):
            tokens[row, : len(one)] = torch.tensor(one)
            durations[row, : len(one)] = torch.from_numpy(example.durations)
        yield from lengthened_units(model, tokens, lengths, durations)


def _errors(heard: list[PairedExample], made: list[Units], is_reduced: bool) -> SystemErrors:
    pairs = [(example.units, units) for example, units in zip(heard, made, strict=True)]
    is_placed = all(len(one) == len(other) for one, other in pairs)
    misplaced = sum(int((one != other).sum()) for one, other in pairs) if is_placed else 0
    return SystemErrors(
        units=None if is_reduced else error_rate([_count(*pair) for pair in pairs]),
        misplaced=misplaced / sum(len(one) for one, _ in pairs) if is_placed else None,
        reduced=error_rate([_count(reduced(one).units, reduced(other).units) for one, other in pairs]),
    )


def _count(reference: Units, hypothesis: Units) -> ErrorCounts:
    return count_word_errors(*(" ".join(map(str, units.tolist())) for units in (reference, hypothesis)))


def _gain(systems: Mapping[str, SystemErrors], name: str) -> float:
    ours, theirs = systems[name].units, systems[COMMONEST].units
    assert ours is not None and theirs is not None, "both make all units"
    return 1 - ours.rate / theirs.rate if theirs.rate else 0.0
