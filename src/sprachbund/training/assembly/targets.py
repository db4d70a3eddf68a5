"""The parts of encoder pre-training that depend on what is to be told of masked frames."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lhotse import CutSet

from sprachbund.checkpoints.store import load_model
from sprachbund.data.batches.crops import NUM_SPECIALS, PlainCrops, ProjectedCrops, UnitCrops
from sprachbund.data.batches.masked import ContrastiveCollator, TeacherCollator, UnitCollator
from sprachbund.data.batches.masking import SpanMasking
from sprachbund.errors import RecipeError
from sprachbund.models.features import encoder_fingerprint, load_encoder
from sprachbund.models.hubert.config import HubertConfig
from sprachbund.models.hubert.model import Hubert
from sprachbund.nn.contrastive import ContrastiveHeadConfig
from sprachbund.objectives.contrastive import ContrastivePrediction
from sprachbund.objectives.masked_prediction import MaskedPrediction
from sprachbund.objectives.teacher_features import FrozenTeacher, TeacherRegression
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.phone_labels import PhoneLabels, load_unit_labels
from sprachbund.tokens.random_projection import RandomProjection
from sprachbund.training.assembly.initial import encoder_of, sized
from sprachbund.training.assembly.parts import Say
from sprachbund.training.assembly.speech import labelled_clips, labelled_crops, read_clips, spans
from sprachbund.training.speech_recipes import EncoderPretrainingRecipe
from sprachbund.training.targets import ContrastiveConfig, RandomProjectionConfig, TeacherConfig, UnitTargetsConfig

EncoderCollator = UnitCollator | ContrastiveCollator | TeacherCollator


@dataclass(frozen=True)
class Learning:
    """An encoder, what it learns by, and the clips and batches for that."""

    objective: MaskedPrediction | ContrastivePrediction | TeacherRegression
    cuts: CutSet
    collator: EncoderCollator
    facts: dict[str, Any]

    @property
    def model(self) -> Hubert:
        """The encoder."""
        assert isinstance(self.objective.model, Hubert)
        return self.objective.model


def learning_of(recipe: EncoderPretrainingRecipe, say: Say) -> Learning:
    """What `targets` of the recipe asks for.

    Raises:
        SprachbundError: a file of the recipe is missing or does not fit the others.
    """
    return _KINDS[type(recipe.targets)](recipe, say)


def _units(recipe: EncoderPretrainingRecipe, say: Say) -> Learning:
    assert isinstance(recipe.targets, UnitTargetsConfig)
    units = load_unit_labels(recipe.targets.units)
    model = _model(recipe, num_units=units.num_units + NUM_SPECIALS, unit_rate=float(units.label_rate))
    facts = {"unit_model": units.fingerprint, "unit_feature": units.feature, "num_units": units.num_units}
    if isinstance(units, PhoneLabels):
        facts["phones"] = " ".join(units.symbols)
    return Learning(
        MaskedPrediction(model, recipe.objective),
        labelled_clips(recipe.speech, units, say),
        _unit_collator(recipe, model.config, labelled_crops(recipe.speech, units)),
        facts,
    )


def _random_projection(recipe: EncoderPretrainingRecipe, say: Say) -> Learning:
    targets = recipe.targets
    assert isinstance(targets, RandomProjectionConfig)
    projection = RandomProjection(targets.codes, targets.dim, targets.seed)
    model = _model(recipe, num_units=targets.codes + NUM_SPECIALS, unit_rate=float(projection.label_rate))
    crops = ProjectedCrops(max_samples=_max_samples(recipe), projection=projection)
    facts = {"num_units": targets.codes, "projection_dim": targets.dim, "projection_seed": targets.seed}
    return Learning(
        MaskedPrediction(model, recipe.objective),
        read_clips(recipe.speech.train, recipe.speech, say),
        _unit_collator(recipe, model.config, crops),
        facts,
    )


def _teacher(recipe: EncoderPretrainingRecipe, say: Say) -> Learning:
    targets = recipe.targets
    assert isinstance(targets, TeacherConfig)
    teacher = FrozenTeacher(load_encoder(targets.model), targets.layer)
    model = _model(recipe, num_units=None)
    collator = TeacherCollator(
        **_masked(recipe, model.config),
        crops=PlainCrops(max_samples=_max_samples(recipe)),
        teacher_is_normalized=teacher.model.config.is_normalized,
    )
    return Learning(
        TeacherRegression(model, teacher, recipe.objective),
        read_clips(recipe.speech.train, recipe.speech, say),
        collator,
        {"teacher": encoder_fingerprint(teacher.model), "teacher_layer": targets.layer},
    )


def _contrastive(recipe: EncoderPretrainingRecipe, say: Say) -> Learning:
    targets = recipe.targets
    assert isinstance(targets, ContrastiveConfig)
    model = _model(recipe, num_units=None, contrastive=ContrastiveHeadConfig())
    collator = ContrastiveCollator(
        **_masked(recipe, model.config),
        crops=PlainCrops(max_samples=_max_samples(recipe)),
        num_distractors=targets.distractors,
    )
    return Learning(
        ContrastivePrediction(model, recipe.objective, targets.diversity_weight),
        read_clips(recipe.speech.train, recipe.speech, say),
        collator,
        {"distractors": targets.distractors},
    )


_KINDS: dict[type, Callable[[EncoderPretrainingRecipe, Say], Learning]] = {
    UnitTargetsConfig: _units,
    RandomProjectionConfig: _random_projection,
    TeacherConfig: _teacher,
    ContrastiveConfig: _contrastive,
}


def _model(recipe: EncoderPretrainingRecipe, **heads: Any) -> Hubert:
    """The encoder to begin with; its heads are those that the targets want."""
    if given := [name for name in ("num_units", "unit_rate", "vocab_size") if name in recipe.model.changes]:
        raise RecipeError(
            "these fields of the model follow from the targets",
            given=f"model.changes: {', '.join(given)}",
            mend="Leave them out.",
        )
    heads = {"contrastive": None, **heads}
    if recipe.init is not None:
        return encoder_of(load_model(recipe.init), recipe.init, recipe.model, None, **heads)
    return Hubert(sized(HubertConfig, recipe.model, **heads))


def _masked(recipe: EncoderPretrainingRecipe, config: HubertConfig) -> dict[str, Any]:
    """What every collator of masked speech is told."""
    masking = spans(recipe.masking.time, recipe.masking.time_length, 2, recipe.masking)
    return {
        "seed": recipe.run.seed,
        "masking": masking or SpanMasking(probability=0.0, min_masks=0),
        "channel_masking": spans(recipe.masking.channel, recipe.masking.channel_length, 0, recipe.masking),
        "num_channels": config.encoder.dim,
        "is_normalized": config.is_normalized,
    }


def _unit_collator(recipe: EncoderPretrainingRecipe, config: HubertConfig, crops: UnitCrops) -> UnitCollator:
    return UnitCollator(**_masked(recipe, config), crops=crops)


def _max_samples(recipe: EncoderPretrainingRecipe) -> int:
    return int(recipe.speech.max_seconds * SAMPLING_RATE)
