"""SpeechLM-P: phones of all speech by a model of a little aligned speech, and phones of text, as long as in speech."""

from pathlib import Path

from lhotse.utils import fastcopy

from sprachbund.config import to_mapping
from sprachbund.data.aligning.pocketsphinx_aligner import PocketSphinxAligner
from sprachbund.data.aligning.results import Aligner
from sprachbund.data.phone_durations import measure_durations
from sprachbund.data.phone_labels import WithoutPhones, aligner_of, label_phones
from sprachbund.data.phonemes.lines import Drawing
from sprachbund.data.phonemes.reading import PHONES_FIELD
from sprachbund.data.storage.fingerprint import file_fingerprint
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.text.unit_lines import MAX_UNITS
from sprachbund.data.units import find_units
from sprachbund.decoding.phones.aligner import PhoneModelAligner
from sprachbund.decoding.phones.model import load_phone_model
from sprachbund.decoding.phones.pronouncing import load_guess
from sprachbund.decoding.phones.recognizer import PhoneRecognizer
from sprachbund.errors import RecipeError
from sprachbund.experiments.labelling import name_of
from sprachbund.experiments.preparing.checks import check_sources
from sprachbund.experiments.preparing.pairs import align_pairs, brings_phones, given_pairs, hear
from sprachbund.experiments.preparing.plans import PhonePlan
from sprachbund.experiments.preparing.text import (
    LeftOut,
    count_pairs,
    make_phones,
    make_tokenizer,
    normalize_text,
    reading_of,
)
from sprachbund.experiments.preparing.workshop import PAIRED, WEIGHTS, Workshop, overrides_of
from sprachbund.tokens.phone_durations import PhoneDurations
from sprachbund.tokens.phone_labels import PhoneLabels
from sprachbund.training.recipe import load_recipe
from sprachbund.training.speech_recipes import EncoderPretrainingRecipe
from sprachbund.training.targets import UnitTargetsConfig

MODEL_RATE = 50  # frames of a phone model a second
DURATIONS, MODEL, LABELS, TRAINING = "durations.json", "phone_model", "labels", "train.jsonl.gz"


def prepare_phones(shop: Workshop, plan: PhonePlan) -> LeftOut:
    """All stages of SpeechLM-P but the last.

    Returns:
        The pairs that no training takes.

    Raises:
        SprachbundError: inputs that do not go together, or choices that differ from those of the folder.
    """
    check_sources(plan.sources, needs_pairs=True)
    reading = reading_of(word_positions=plan.word_positions)
    aligner = _aligner(plan) if plan.decode or not brings_phones(given_pairs(shop)) else None
    if plan.phone_model is not None:
        _require_places(plan, plan.phone_model)
    elif not plan.decode:
        _recipe(shop, plan)  # what is wrong with it is told before anything is made
    normalize_text(shop)
    make_tokenizer(shop)
    align_pairs(shop, None if brings_phones(given_pairs(shop)) else aligner)
    label_speech(shop, plan, aligner if aligner is not None and plan.decode else _recognizer(shop, plan))
    durations = _durations(shop, plan)
    make_phones(shop, Drawing(durations=durations, longest=MAX_UNITS, seed=plan.seed), reading, PAIRED)
    return count_pairs(shop, PHONES_FIELD)


def label_speech(shop: Workshop, plan: PhonePlan, recognizer: Aligner) -> None:
    """The phones that are heard in all speech, as its units; speech in which none is heard is left out and told."""
    labels = PhoneLabels(plan.word_positions, plan.rate, recognizer.fingerprint)
    stage = shop.stage("units", {"labels": labels.fingerprint})
    if not stage.is_done(lambda: PhoneLabels.load(shop.units).fingerprint):
        labels.save(shop.units)
        stage.finish(labels.fingerprint)
    for manifest in (*plan.sources.speech, *plan.sources.valid):
        _label(shop, plan, manifest, labels, recognizer)


def _label(shop: Workshop, plan: PhonePlan, manifest: Path, labels: PhoneLabels, recognizer: Aligner) -> None:
    path, made_of = shop.labelled(manifest), {"manifest": file_fingerprint(manifest), "labels": labels.fingerprint}
    stage, arrays = shop.stage(f"labelled-{name_of(manifest)}", made_of), path.parent / "units"
    if stage.is_done(lambda: file_fingerprint(path)) and find_units(read_cuts(path), labels, arrays) is not None:
        return
    cuts = list(read_cuts(manifest))
    if plan.decode:  # else transcripts are not read
        paired = {cut.id for cut in given_pairs(shop)}
        cuts = [cut if cut.id in paired else fastcopy(cut, supervisions=[]) for cut in cuts]
    labelled = label_phones(hear(shop, cuts, recognizer).cuts, labels, arrays, WithoutPhones.LEAVE_OUT)
    if labelled.left_out:
        shop.say(f"{len(labelled.left_out)} clips without phones are left out, such as {labelled.left_out[0]}")
    write_cuts(labelled.cuts, path)
    stage.finish(file_fingerprint(path))


def _aligner(plan: PhonePlan) -> Aligner:
    """What finds the phones of the paired part, where it does not bring them."""
    if plan.phone_model is None:
        return PocketSphinxAligner(load_guess(), plan.word_positions, plan.decode)
    return PhoneModelAligner(plan.phone_model, plan.word_positions)


def _require_places(plan: PhonePlan, model: Path) -> None:
    if load_phone_model(model).has_places != plan.word_positions:
        given = "--word-positions" if plan.word_positions else "no --word-positions"
        mend = "Add --word-positions, or leave it out, as the phone model was trained."
        raise RecipeError("the phone model has other phones", where=model, given=given, mend=mend)


def _recognizer(shop: Workshop, plan: PhonePlan) -> PhoneRecognizer:
    model = plan.phone_model or train_phone_model(shop, plan)
    # CTC models need none of the phonotactics of the aligned speech.
    aligned = None if load_phone_model(model).is_ctc else tuple(read_cuts(shop.aligned))
    return PhoneRecognizer(model, aligned)


def train_phone_model(shop: Workshop, plan: PhonePlan) -> Path:
    """The folder of a phone model that has learned from the paired part."""
    recipe, folder = _recipe(shop, plan), shop.out / MODEL
    cuts = read_cuts(shop.aligned)
    labels = PhoneLabels(plan.word_positions, MODEL_RATE, aligner_of(cuts))
    made_of = {"aligned": file_fingerprint(shop.aligned), "labels": labels.fingerprint}
    stage = shop.stage("labelled-pairs", made_of)
    if not stage.is_done(lambda: file_fingerprint(folder / TRAINING)):
        labels.save(folder / LABELS)
        write_cuts(label_phones(cuts, labels, folder / "units", WithoutPhones.LEAVE_OUT).cuts, folder / TRAINING)
        stage.finish(file_fingerprint(folder / TRAINING))
    choices = to_mapping(recipe)
    # Fingerprints say more than the paths, which change where the folder is moved.
    for part, key in (("targets", "units"), ("speech", "train")):
        choices[part].pop(key)
    choices["init"] = None if recipe.init is None else file_fingerprint(recipe.init / WEIGHTS)
    return shop.train(MODEL, recipe, {**made_of, "recipe": choices})


def _recipe(shop: Workshop, plan: PhonePlan) -> EncoderPretrainingRecipe:
    """That of the phone model, with the places of labels and speech."""
    folder = shop.out / MODEL
    places = {
        "init": None if plan.encoder is None else str(plan.encoder),
        "targets.units": str(folder / LABELS),
        "speech.train": [str(folder / TRAINING)],
        "speech.valid": [],
    }
    recipe = load_recipe(plan.recipe, (*overrides_of(places), *plan.overrides))
    if not isinstance(recipe, EncoderPretrainingRecipe) or not isinstance(recipe.targets, UnitTargetsConfig):
        mend = "Give a recipe of the task encoder_pretraining whose targets are units, such as hubert_tiny_phones."
        raise RecipeError("the recipe trains no phone model", where=plan.recipe, given=recipe.task, mend=mend)
    return recipe


def _durations(shop: Workshop, plan: PhonePlan) -> PhoneDurations:
    """How long the phones of the paired part last."""
    path = shop.out / DURATIONS
    stage = shop.stage("durations", {"aligned": file_fingerprint(shop.aligned), "rate": plan.rate})
    if not stage.is_done(lambda: file_fingerprint(path)):
        measure_durations(read_cuts(shop.aligned), 1 / plan.rate).save(path)
        stage.finish(file_fingerprint(path))
    measured = PhoneDurations.load(path)
    default = measured.default
    shop.say(f"a phone lasts {default.mean:.1f} labels (std {default.std:.1f}) at {plan.rate} a second")
    return measured
