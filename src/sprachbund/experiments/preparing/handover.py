"""What is written last: the recipe of the training, and a page that says what is in the folder and where it is from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sprachbund.checkpoints.store import load_model
from sprachbund.config import HERE, dump_yaml
from sprachbund.data.phones import FINGERPRINT
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.text.blocks import LEFT_OUT, SOURCE_LINES
from sprachbund.data.text.store import LineStore, is_store
from sprachbund.experiments.preparing.pairs import brings_phones, given_pairs
from sprachbund.experiments.preparing.plans import Kind, PhonePlan, Plan, Size, UnitPlan
from sprachbund.experiments.preparing.text import LEXICON, LeftOut
from sprachbund.experiments.preparing.workshop import PAIRED, PHONES, TEXT, Workshop
from sprachbund.files import write_atomically
from sprachbund.tokens.phone_labels import load_unit_labels
from sprachbund.training.recipe import load_recipe

CARD = "README.md"
COMMENT = f"""# Made by `sprachbund prepare`. {HERE} is the folder of this file, which may be moved.
# For other choices write a recipe that extends this one, which is written again by the same command.
"""


def base_recipe(kind: Kind, size: Size) -> str:
    """The shipped recipe that a prepared one extends."""
    return f"{kind.replace('-', '_')}_{size}"


def write_recipe(shop: Workshop, plan: Plan) -> None:
    """The recipe: the shipped one of this size with the data of the folder.

    Raises:
        RecipeError: it cannot be trained.
    """
    pairs = {is_valid: _stores(shop, is_valid=is_valid) for is_valid in (False, True)}
    speech = [_inside(shop, shop.labelled(manifest)) for manifest in plan.sources.speech]
    valid = [_inside(shop, shop.labelled(manifest)) for manifest in plan.sources.valid]
    recipe: dict[str, Any] = {
        "extends": base_recipe(plan.kind, plan.size),
        "tokenizer": _inside(shop, shop.tokenizer),
        "units": _inside(shop, shop.units),
        "speech": {"train": speech, "valid": valid},
        "paired": {"train": pairs[False], "valid": pairs[True]},
    }
    if plan.kind == "speechut":
        recipe["mono"] = {"speech": list(speech), "text": list(pairs[False])}  # YAML would write one as an alias
    _write(shop.recipe, COMMENT + dump_yaml(recipe))
    load_recipe(str(shop.recipe), verb="pretrain")


def write_card(shop: Workshop, plan: Plan, left_out: LeftOut) -> None:
    """README.md: what is in the folder, what supervision from outside went in, and the next command.

    Args:
        shop: the folder.
        plan: every choice.
        left_out: pairs that no training takes.
    """
    lines = [
        f"# Data of {plan.kind}, prepared by sprachbund",
        "",
        "| part | what |",
        "| --- | --- |",
        *(f"| {part} | {what} |" for part, what in _rows(shop, plan, left_out)),
        "",
        "Supervision from outside:",
        "",
        *(f"- {told}" for told in supervision(shop, plan)),
        "",
        "Next:",
        "",
        f"    sprachbund pretrain {shop.recipe.name} --out run",
        "",
        "(from this folder; elsewhere with its path).",
    ]
    _write(shop.out / CARD, "\n".join(lines) + "\n")


def supervision(shop: Workshop, plan: Plan) -> list[str]:
    """What knowledge from outside the speech went into the folder, a sentence each."""
    return [*_alignment(shop, plan), *_lexicon(), *_models(plan)]


def _write(path: Path, text: str) -> None:
    """Write a file, unless it holds the same already."""
    if not path.is_file() or path.read_bytes() != text.encode():
        with write_atomically(path, "w") as handle:
            handle.write(text)


def _rows(shop: Workshop, plan: Plan, left_out: LeftOut) -> Iterator[tuple[str, str]]:
    units = load_unit_labels(shop.units)
    yield "units", f"{units.num_units} of {units.feature}, {units.label_rate:g} a second, {units.fingerprint[:16]}"
    for manifest in (*plan.sources.speech, *plan.sources.valid):
        cuts = list(read_cuts(shop.labelled(manifest)))
        path = shop.labelled(manifest).relative_to(shop.out).as_posix()
        yield path, f"{len(cuts)} clips, {sum(cut.duration for cut in cuts) / 60:.1f} minutes of speech"
    for part in (TEXT, PHONES, PAIRED):
        for name in shop.texts:
            if is_store(shop.out / part / name):
                told = _counts(LineStore(shop.out / part / name))
                useless = [f"{n} of them left out of training: {why}" for why, n in sorted(left_out[name].items())]
                yield f"{part}/{name}", "; ".join([told, *(useless if part == PAIRED else ())])


def _counts(store: LineStore) -> str:
    told = [f"{len(store)} of {store.facts[SOURCE_LINES]} lines"]
    return "; ".join(told + [f"left out {count}: {reason}" for reason, count in sorted(store.facts[LEFT_OUT].items())])


def _alignment(shop: Workshop, plan: Plan) -> Iterator[str]:
    if isinstance(plan, UnitPlan) and plan.text_to_unit is not None:
        facts = load_model(plan.text_to_unit).facts
        aligner = str(facts.get("aligner", ""))[:16] or "unknown"
        yield (
            f"{facts.get('paired_minutes', '?')} minutes of paired speech, which the given text-to-unit model has "
            f"learned from, aligned by the aligner {aligner}"
        )
        return
    cuts = list(read_cuts(shop.aligned))
    names = sorted({str((said.custom or {}).get(FINGERPRINT, "")) for cut in cuts for said in cut.supervisions})
    minutes = sum(cut.duration for cut in cuts) / 60
    yield (
        f"{minutes:.1f} minutes of paired speech ({len(cuts)} clips with transcripts), aligned by "
        f"{_aligner(shop, plan)} (fingerprint {', '.join(name[:16] or 'unknown' for name in names)})"
    )


def _aligner(shop: Workshop, plan: Plan) -> str:
    if brings_phones(given_pairs(shop)):
        return "what its manifests name"
    if isinstance(plan, PhonePlan) and plan.phone_model is not None:
        return "the phone model that was given"
    return "PocketSphinx with its English acoustic model"


def _lexicon() -> Iterator[str]:
    yield f"the lexicon {LEXICON} and the pronunciations that a model trained on it guesses"


def _models(plan: Plan) -> Iterator[str]:
    if isinstance(plan, PhonePlan):
        if plan.decode:
            yield "the phones of all other speech, decoded by PocketSphinx"
        elif plan.phone_model is not None:
            yield "the phone model that was given"
    if plan.encoder is not None:
        yield "the encoder that was given, and what it has learned from"


def _stores(shop: Workshop, *, is_valid: bool) -> list[str]:
    return [_inside(shop, shop.paired(name)) for name in shop.texts if shop.is_valid(name) == is_valid]


def _inside(shop: Workshop, path: Path) -> str:
    return f"{HERE}/{path.relative_to(shop.out).as_posix()}"
