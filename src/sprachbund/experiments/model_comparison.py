"""The models side by side, as their configurations and recipes have them: what the talk's table of models tells."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import torch

from sprachbund.models.speech_units.config import SpeechUnitConfig
from sprachbund.models.speecht5.config import SpeechT5Config
from sprachbund.models.table import MODELS
from sprachbund.objectives.joint_pretraining import JointPretrainingConfig
from sprachbund.objectives.masked_prediction import MaskedPredictionConfig
from sprachbund.objectives.unit_pretraining import UnitPretrainingConfig
from sprachbund.training.assembly.initial import sized
from sprachbund.training.recipe import Recipe, load_recipe, shipped_recipes
from sprachbund.training.speech_recipes import (
    EncoderPretrainingRecipe,
    PretrainingRecipe,
    RecognitionRecipe,
    TranslationRecipe,
)
from sprachbund.training.unit_recipes import UnitPretrainingRecipe

PreTraining = EncoderPretrainingRecipe | PretrainingRecipe | UnitPretrainingRecipe


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of models, with what no configuration tells."""

    name: str
    kind: str  # in the model table
    recipes: dict[str, str]  # of its pre-training, by size
    dictionaries: dict[str, int]  # entries of its dictionaries, as published
    units: str
    supervision: str  # from outside, for units and for units of text


TEXT_TO_UNIT = "transcribed speech and a pronouncing lexicon for the text-to-unit model"
FAMILIES = (
    Family(
        name="HuBERT",
        kind="hubert",
        recipes={
            "tiny": "hubert_tiny_iteration2",
            "small": "hubert_small_iteration2",
            "base": "hubert_base_iteration2",
            "large": "hubert_large",
        },
        dictionaries={"num_units": 504},
        units="hidden units, 50 Hz",
        supervision="none",
    ),
    Family(
        name="SpeechT5",
        kind="speecht5",
        recipes={
            "tiny": "speecht5_tiny_pretrain",
            "small": "speecht5_tiny_pretrain",  # has no recipe of its own
            "base": "speecht5_base_pretrain",
            "large": "speecht5_large_pretrain",
        },
        dictionaries={"vocab_size": 81, "num_units": 504},
        units="hidden units, 50 Hz",
        supervision="none",
    ),
    Family(
        name="SpeechLM-P",
        kind="speechlm",
        recipes={size: f"speechlm_p_{size}" for size in ("tiny", "small", "base", "large")},
        dictionaries={"vocab_size": 34, "num_units": 369},
        units="phonemes, 100 Hz",
        supervision="an aligner learned from transcribed speech, and a pronouncing lexicon",
    ),
    Family(
        name="SpeechLM-H",
        kind="speechlm",
        recipes={size: f"speechlm_h_{size}" for size in ("tiny", "small", "base")},
        dictionaries={"vocab_size": 34, "num_units": 505},
        units="hidden units, 50 Hz",
        supervision=TEXT_TO_UNIT,
    ),
    Family(
        name="SpeechUT",
        kind="speechut",
        recipes={size: f"speechut_{size}" for size in ("tiny", "small", "base", "large")},
        dictionaries={"vocab_size": 34, "num_units": 505},
        units="hidden units, 50 Hz; of text reduced",
        supervision=TEXT_TO_UNIT,
    ),
)


@dataclass(frozen=True)
class Row:
    """A model of one size; layers, widths and parameters are of pre-training."""

    model: str
    size: str
    parameters: int
    speech_layers: int  # that speech alone passes
    shared_layers: int  # that speech passes, and units or text
    decoder_layers: int
    width: int
    heads: int
    decoder_width: int | None
    decoder_heads: int | None
    speech: bool  # in pre-training, as all that follows
    text: bool
    units: str
    units_of_text: bool
    units_alone: bool
    objectives: tuple[str, ...]
    tasks: tuple[str, ...]  # that recipes fine-tune it for
    supervision: str


def compare_models() -> tuple[Row, ...]:
    """A row a family and size."""
    shipped = {name: load_recipe(name) for name in shipped_recipes()}
    return tuple(
        _row(family, load_recipe(name, (f"model.size={size}",)), _tasks(family, shipped))
        for family in FAMILIES
        for size, name in family.recipes.items()
    )


def _row(family: Family, recipe: Recipe, tasks: tuple[str, ...]) -> Row:
    assert isinstance(recipe, PreTraining), "families name recipes of pre-training"
    config_class, model_class = MODELS[family.kind]
    config = sized(config_class, recipe.model, **family.dictionaries)
    with torch.device("meta"):  # without memory
        parameters = sum(weight.numel() for weight in model_class(config).parameters())
    own, shared = _encoder_layers(config)
    decoder = getattr(config, "decoder", None)
    is_unit_recipe = isinstance(recipe, UnitPretrainingRecipe)
    return Row(
        model=family.name,
        size=recipe.model.size,
        parameters=parameters,
        speech_layers=own,
        shared_layers=shared,
        decoder_layers=0 if decoder is None else decoder.num_layers,
        width=config.encoder.dim,
        heads=config.encoder.num_heads,
        decoder_width=None if decoder is None else decoder.dim,
        decoder_heads=None if decoder is None else decoder.num_heads,
        speech=recipe.speech is not None,
        text=is_unit_recipe or (isinstance(recipe, PretrainingRecipe) and recipe.text is not None),
        units=family.units,
        units_of_text=is_unit_recipe,
        units_alone=isinstance(recipe, UnitPretrainingRecipe) and recipe.mono is not None,
        objectives=objectives_of(recipe),
        tasks=tasks,
        supervision=family.supervision,
    )


def _encoder_layers(config: object) -> tuple[int, int]:
    """Layers of speech alone, and of speech and another side."""
    if isinstance(config, SpeechUnitConfig):
        return config.encoder.num_layers, config.unit_encoder.num_layers
    layers: int = config.encoder.num_layers  # type: ignore[attr-defined]  # every model of speech has an encoder
    return (0, layers) if isinstance(config, SpeechT5Config) else (layers, 0)


def _tasks(family: Family, shipped: dict[str, Recipe]) -> tuple[str, ...]:
    """Tasks of the recipes that begin with the kind of the family."""
    found = {
        recipe.task
        for name, recipe in shipped.items()
        if name.startswith(f"{family.kind}_") and isinstance(recipe, RecognitionRecipe | TranslationRecipe)
    }
    return tuple(sorted(found))


def objectives_of(recipe: PreTraining) -> tuple[str, ...]:
    """What a pre-training learns from, by the weights of its recipe."""
    objective = recipe.objective
    if isinstance(objective, MaskedPredictionConfig):
        return ("units of masked speech",)
    if isinstance(objective, JointPretrainingConfig):
        return _joint_objectives(recipe, objective)
    assert isinstance(recipe, UnitPretrainingRecipe) and isinstance(objective, UnitPretrainingConfig), "there are three"
    named = {
        "units of masked speech, middle": objective.middle_weight,
        "units of masked speech, top": objective.top_weight,
        "mixing": recipe.mixing.probability,
        "units to text, CTC": objective.ctc_weight,
        "units to text, decoder": objective.decoder_weight,
        "masked units": objective.masked_unit_weight if recipe.mono is not None else 0,
    }
    return tuple(name for name, weight in named.items() if weight)


def _joint_objectives(recipe: PreTraining, objective: JointPretrainingConfig) -> tuple[str, ...]:
    assert isinstance(recipe, PretrainingRecipe), "it is the objective of that recipe"
    has_speech, has_text = recipe.speech is not None, recipe.text is not None
    named = {
        "units of masked speech": has_speech and objective.speech_weight * objective.speech.masked_weight,
        "spectrogram": has_speech and objective.speech_weight * objective.speech.spectrogram_weight,
        "infilling of text": has_text and objective.text_weight * objective.text.text_weight,
        "codebook": objective.speech.use_codebook and recipe.masking.codebook,
    }
    return tuple(name for name, weight in named.items() if weight)


def to_json(rows: Sequence[Row]) -> str:
    """A list of objects, a row each."""
    return json.dumps([asdict(row) for row in rows], indent=2) + "\n"


def to_csv(rows: Sequence[Row]) -> str:
    """A line a row, below the names of the columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Row))
    for row in rows:
        writer.writerow("; ".join(value) if isinstance(value, tuple) else value for value in vars(row).values())
    return text.getvalue()


def to_markdown(rows: Sequence[Row]) -> str:
    """Two tables: sizes, a row a model and size; and what pre-training sees and learns, once for equal rows."""
    sizes = [("model", "size", "parameters", "layers: speech + shared + decoder", "width", "heads")]
    for row in rows:
        layers = f"{row.speech_layers} + {row.shared_layers} + {row.decoder_layers}"
        width, heads = _with(row.width, row.decoder_width), _with(row.heads, row.decoder_heads)
        sizes.append((row.model, row.size, f"{row.parameters / 1e6:.1f} M", layers, width, heads))
    learning = [("model", "data", "units", "objectives", "recipes fine-tune it for", "outside supervision")]
    told = (
        (row.model, _data(row), row.units, "; ".join(row.objectives), ", ".join(row.tasks), row.supervision)
        for row in rows
    )
    return f"{_table(sizes)}\n{_table([*learning, *dict.fromkeys(told)])}"


def _with(size: int, decoder: int | None) -> str:
    return str(size) if decoder in (None, size) else f"{size}, decoder {decoder}"


def _data(row: Row) -> str:
    named = {
        "speech": row.speech,
        "text": row.text,
        "units of that text": row.units_of_text,
        "units alone": row.units_alone,
    }
    return ", ".join(name for name, is_there in named.items() if is_there)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"|{'---|' * len(rows[0])}", *lines[1:]]) + "\n"
