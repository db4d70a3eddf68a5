"""Line stores that a recipe names, as pairs of units and text, and as units alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sprachbund.data.text.blocks import SETTINGS
from sprachbund.data.text.encoding import Made
from sprachbund.data.text.memory import UNITS, ChainedLines, IdLines, MemoryLines
from sprachbund.data.text.store import LineStore
from sprachbund.data.text.unit_lines import UnitSource, paired_lines, spoken_lines, unit_lines
from sprachbund.errors import DataError, VocabularyError
from sprachbund.tokens.phone_labels import PhoneLabels, UnitLabels
from sprachbund.tokens.phones import phone_vocabulary
from sprachbund.training.assembly.parts import Say
from sprachbund.training.unit_recipes import MonoConfig, PairedTextConfig

PHONES = "phones"  # the field of line stores that `tokens phonemes` writes


def pairs_of(
    stores: Sequence[Path], config: PairedTextConfig, labels: UnitLabels, tokenizer: Path, say: Say, *, jobs: int
) -> IdLines:
    """Units and tokens of line stores; pairs that cannot be learned from are counted and left out.

    Args:
        stores: their folders.
        config: limits and form.
        labels: that speech has.
        tokenizer: its folder.
        say: told of what is left out.
        jobs: processes for large stores.

    Raises:
        DataError: a store or a field of it is missing or damaged, or no pair is left.
        VocabularyError: the units of a store are not those of speech.
    """
    sources = [unit_source(store, labels, config.reduced, say) for store in stores]
    made = [paired_lines(source, tokenizer, max_units=config.max_units, jobs=jobs) for source in sources]
    return _together(made, [str(store) for store in stores], "pairs of units and text", say)


def units_alone(config: MonoConfig, labels: UnitLabels, say: Say, *, jobs: int) -> list[IdLines]:
    """Units of speech and units of text, each as one source where it is named."""
    sources: list[IdLines] = []
    if config.speech:
        spoken = [spoken_units(manifest, config, labels) for manifest in config.speech]
        sources.append(_together(spoken, config.speech, "clips", say))
    if config.text:
        stores = [unit_source(store, labels, config.reduced, say) for store in config.text]
        written = [unit_lines(store, max_units=config.max_units, jobs=jobs) for store in stores]
        sources.append(_together(written, [str(store) for store in config.text], "lines of units", say))
    return sources


def spoken_units(manifest: str, config: MonoConfig, labels: UnitLabels) -> Made:
    """The units of a labelled manifest, in the form of the recipe."""
    return spoken_lines(
        manifest, labels.fingerprint, labels.num_units, max_units=config.max_units, is_reduced=config.reduced
    )


def first_items(lines: IdLines, names: Sequence[str], most: int) -> MemoryLines:
    """The first lines, to validate on."""
    chosen = range(min(most, len(lines)))
    return MemoryLines(({name: lines.tokens(name, number) for name in names} for number in chosen), names)


def unit_source(store: Path, labels: UnitLabels, is_reduced: bool, say: Say) -> UnitSource:
    """The field of a line store that has the units of speech.

    Phones have a vocabulary of their own in text; they are paired with those of speech by their symbols, and only if
    they are drawn out as those of speech are.

    Args:
        store: its folder.
        labels: that speech has.
        is_reduced: whether repetitions are to be out.
        say: told what cannot be known of the store.

    Raises:
        DataError: there is no such store or field.
        VocabularyError: its units are others, come at another rate, or are not of the asked form.
    """
    if not isinstance(labels, PhoneLabels):
        _refuse_other_rate(store, labels)
        return UnitSource(store=store, fingerprint=labels.fingerprint, is_reduced=is_reduced)
    source = UnitSource(store=store, field=PHONES)
    _require_symbols(source, labels)
    _require_durations(source, labels, is_reduced, say)
    return source


def _refuse_other_rate(store: Path, labels: UnitLabels) -> None:
    """Every second unit of the same unit model is told apart by its fingerprint."""
    model, _, kept = LineStore(store).ids_field(UNITS).fingerprint.partition("/")
    if model == labels.fingerprint and kept:
        raise VocabularyError(
            "the units of text come at another rate than those of speech",
            where=store,
            given=f"every {kept}th unit of {labels.label_rate:g} a second",
            mend="Train the text-to-unit model without `paired.rate`, and make the units again.",
        )


def _require_symbols(source: UnitSource, labels: PhoneLabels) -> None:
    expected, found = phone_vocabulary(places=labels.has_places), source.found().vocabulary
    if found != expected:
        theirs = set() if found is None else set(found.symbols)
        missing, foreign = sorted(set(expected.symbols) - theirs), sorted(theirs - set(expected.symbols))
        raise VocabularyError(
            "the phones of text are not those of speech",
            where=source.store,
            given=f"not in text: {_some(missing)}; not in speech: {_some(foreign)}",
            mend="Make phones of both with, or of both without, their places in the word (--word-positions).",
        )


def _require_durations(source: UnitSource, labels: PhoneLabels, is_reduced: bool, say: Say) -> None:
    work: dict[str, Any] = LineStore(source.store).facts.get(SETTINGS, {}).get("work", {})
    if "durations" not in work:
        say(f"{source.store} does not tell how its phones are drawn out: they are taken as they are.")
        return
    durations = work["durations"]
    if is_reduced != (durations is None):
        raise VocabularyError(
            "the phones of text are drawn out, and are to be reduced" if is_reduced else "phones of text stand once",
            where=source.store,
            mend="Make them without --repeat." if is_reduced else "Make them with `tokens phonemes --repeat`.",
        )
    if durations is not None and not np.isclose(durations["frame_shift"], labels.frame_shift):
        raise VocabularyError(
            "the phones of text come at another rate than those of speech",
            where=source.store,
            given=f"{1 / durations['frame_shift']:g} a second, speech has {labels.label_rate:g}",
            mend="Measure durations on these labels with `tokens durations`, and make the phones again with them.",
        )


def _together(made: Sequence[Made], names: Sequence[str], what: str, say: Say) -> ChainedLines:
    for reason in sorted({reason for part in made for reason in part.left_out}):
        say(f"{sum(part.left_out.get(reason, 0) for part in made)} {what} are left out: {reason}.")
    lines = ChainedLines([part.lines for part in made])
    if not len(lines):
        raise DataError(f"none of the {what} is left to use", where=", ".join(names))
    return lines


def _some(symbols: Sequence[str], most: int = 5) -> str:
    """A few of them, to read."""
    return (", ".join(symbols[:most]) + (" ..." if len(symbols) > most else "")) or "none"
