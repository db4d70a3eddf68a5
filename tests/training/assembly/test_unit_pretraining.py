"""The parts of pre-training through units; what it hears, reads and begins with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import speech_units
import tiny
from sprachbund.checkpoints.store import StoredModel, save_model
from sprachbund.config import merge, to_mapping
from sprachbund.data.batches.batch import MixedUnitBatch
from sprachbund.data.batches.mixed import MixedUnitCollator
from sprachbund.data.batches.unit_text import UnitTextBatch, UnitTextCollator
from sprachbund.data.mixture import Mixture
from sprachbund.data.text.memory import TOKENS, UNITS, MemoryLines
from sprachbund.data.unit_streams import PairedStream, UnitStream
from sprachbund.errors import CheckpointError, DataError, RecipeError, VocabularyError
from sprachbund.models.speech_units.model import SpeechUnitModel
from sprachbund.models.table import MODELS
from sprachbund.objectives.unit_pretraining import UnitPretraining
from sprachbund.tokens.phone_durations import PhoneDurations
from sprachbund.tokens.phone_labels import PhoneLabels
from sprachbund.tokens.text import CharacterTokenizer
from sprachbund.training.assembly.unit_pretraining import batch_units
from sprachbund.training.padding import padding
from sprachbund.training.recipe import load_recipe
from sprachbund.training.unit_recipes import UnitPretrainingRecipe
from training.assembly.building import build
from training.assembly.test_phone_units import with_phones
from training.assembly.test_unit_text import write_phones


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A recipe with its data, by the kind of model."""
    return {kind: speech_units.unit_recipe(kind, tmp_path_factory.mktemp(kind)) for kind in ("speechlm", "speechut")}


@pytest.mark.parametrize("kind", ["speechlm", "speechut"])
def test_every_step_has_all_streams(recipes: dict[str, Any], kind: str) -> None:
    assembly, told = build(recipes[kind])
    model = assembly.model
    assert isinstance(assembly.objective, UnitPretraining) and isinstance(model, MODELS[kind][1])
    assert assembly.tokenizer is not None
    vocabulary = assembly.tokenizer.vocabulary
    assert (model.config.vocab_size, model.config.num_units) == (len(vocabulary), tiny.NUM_UNITS + 4)
    assert (model.config.unit_rate, model.config.blank) == (100.0, vocabulary.id_of("<s>"))
    streams = {"speech", "paired"} | ({"units"} if kind == "speechut" else set())
    assert assembly.streams.keys() == assembly.collators.keys() == streams
    step = next(iter(Mixture(assembly.streams, assembly.collators, accumulate=2)))
    for micro in step.micros:
        assert micro.keys() == streams
        # A unit dictionary of its own size serves every stream.
        assert all(int(batch.units.max()) < tiny.NUM_UNITS + 4 for batch in micro.values())
    paired = step.micros[0]["paired"]
    assert isinstance(paired, UnitTextBatch) and (paired.unit_mask is not None) == (kind == "speechlm")
    held = {name for micro in assembly.held_out for name in micro}
    assert held == streams
    assert assembly.facts["unit_model"] == tiny.unit_model().fingerprint
    assert assembly.facts["pairs"] == len(tiny.LINES)
    assert told == ""


@pytest.mark.parametrize("rate", [50, 100])
def test_a_frame_takes_one_of_its_labels_in_training_and_the_first_in_validation(
    recipes: dict[str, Any], tmp_path: Path, rate: int
) -> None:
    """Which of two labels is drawn once a batch, and once a batch only."""
    labels, plain = PhoneLabels(rate=rate, aligner="ab"), recipes["speechlm"]
    labels.save(tmp_path / "labels")
    phones = write_phones(tmp_path / "phones", ["SIL AA S S"], durations=PhoneDurations(frame_shift=1 / rate))
    speech = {name: [with_phones(tmp_path, plain["speech"][name][0], labels)] for name in ("train", "valid")}
    changes = {"units": str(tmp_path / "labels"), "speech": speech}
    assembly, _ = build(plain, merge(changes, {"paired": {"train": [str(phones)], "valid": []}}))
    collator = assembly.collators["speech"]
    assert isinstance(collator, MixedUnitCollator) and collator.labels_per_frame == rate // 50
    plan = assembly.streams["speech"].plans(0)[0]
    offsets = [collator(plan, draw).label_offset for draw in range(20)]
    assert set(offsets) == set(range(rate // 50))
    for micro in assembly.held_out:
        batch = micro["speech"]
        assert isinstance(batch, MixedUnitBatch) and batch.label_offset == 0
    assert assembly.facts["phones"].split() == list(labels.symbols)
    assert assembly.model.config.unit_rate == rate


def test_labels_at_a_rate_that_frames_do_not_have_are_refused(recipes: dict[str, Any], tmp_path: Path) -> None:
    labels, plain = PhoneLabels(rate=25, aligner="ab"), recipes["speechlm"]
    labels.save(tmp_path / "labels")
    phones = write_phones(tmp_path / "phones", ["SIL AA S S"], durations=PhoneDurations(frame_shift=0.04))
    speech = {name: [with_phones(tmp_path, plain["speech"][name][0], labels)] for name in ("train", "valid")}
    changes = {"units": str(tmp_path / "labels"), "speech": speech, "paired": {"train": [str(phones)], "valid": []}}
    with pytest.raises(DataError, match=r"label rate does not fit the frames .*25") as caught:
        build(plain, changes)
    assert "multiple of 50 a second" in str(caught.value)


def test_a_stream_may_be_left_out_and_swapping_switched_off(recipes: dict[str, Any]) -> None:
    plain = recipes["speechut"]
    assembly, _ = build(plain, {"mono": None, "mixing": {"probability": 0.0}})
    assert assembly.streams.keys() == {"speech", "paired"}
    [batch] = [micro["speech"] for micro in assembly.held_out if "speech" in micro]
    assert isinstance(batch, MixedUnitBatch) and batch.mix_mask is None


def test_shares_of_units_of_speech_and_text(recipes: dict[str, Any]) -> None:
    plain = recipes["speechut"]
    stream = build(plain, {"mono": {"speech_share": 0.5}})[0].streams["units"]
    assert isinstance(stream, UnitStream)
    assert stream.counts == [8, 8]  # of 8 clips and 16 lines
    whole = build(plain)[0].streams["units"]
    assert isinstance(whole, UnitStream) and whole.counts == [8, 16]


def test_a_batch_of_units_follows_from_that_of_speech(recipes: dict[str, Any]) -> None:
    plain = recipes["speechut"]
    assembly, _ = build(plain, {"paired": {"units_per_frame": 0.4}})  # of 3 s: 150 frames
    for plan in assembly.streams["paired"].plans(0):
        longest = max(len(pair.units) + 1 for pair in plan)
        assert longest * len(plan) <= 60 or len(plan) == 1


def test_less_than_a_tenth_of_the_positions_is_padding() -> None:
    """Of pairs as long as sentences are (log-normal, as the lines of a dictionary), with text of their length."""
    generator = np.random.default_rng(0)
    words = np.clip(np.exp(generator.normal(2.2, 0.6, 1500)), 1, 40).astype(int)
    letters = generator.poisson(5.6 * words) + 1
    units = np.clip(generator.normal(2.0 * letters, 0.15 * letters), letters, 2800).astype(int)
    lines = MemoryLines(
        ({UNITS: [5] * count, TOKENS: [6] * many} for count, many in zip(units, letters, strict=True)), (UNITS, TOKENS)
    )
    collator = UnitTextCollator()
    for stream in (PairedStream(lines, 1050, seed=1), PairedStream(lines, 2900, seed=1)):
        parts = [padding({"paired": collator(plan, 0)}) for plan in list(stream.plans(0))[:60]]
        assert sum(empty for empty, _ in parts) / sum(total for _, total in parts) < 0.1


def write_folder(folder: Path, kind: str, tokenizer: CharacterTokenizer | None = None, **facts: Any) -> Path:
    """A pre-trained model of the recipe's units and letters."""
    known = tokenizer or tiny.character_tokenizer()
    changes = facts.pop("changes", {})
    sizes = {"vocab_size": len(known.vocabulary), "num_units": tiny.NUM_UNITS + 4, **changes}
    config = speech_units.tiny_config(kind, **sizes)
    torch.manual_seed(7)
    model: SpeechUnitModel = MODELS[kind][1](config)
    save_model(folder, StoredModel(kind, to_mapping(config), model.state_dict(), known, facts))
    return folder


@pytest.mark.parametrize("kind", ["speechlm", "speechut"])
def test_it_goes_on_from_a_folder(recipes: dict[str, Any], kind: str, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "model", kind, unit_model=tiny.unit_model().fingerprint)
    plain = recipes[kind] | {"init": str(folder), "model": {"kind": kind}}
    assembly, _ = build(plain, {"model": {"changes": {"dropout": 0.25}}})
    torch.manual_seed(7)
    expected = MODELS[kind][1](assembly.model.config).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in assembly.model.state_dict().items())
    assert (assembly.model.config.dropout, assembly.facts["init"]) == (0.25, str(folder))


def test_a_converted_folder_may_have_a_mask_among_its_units(recipes: dict[str, Any], tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "model", "speechlm", changes={"num_units": tiny.NUM_UNITS + 5})
    plain = recipes["speechlm"] | {"init": str(folder), "model": {"kind": "speechlm"}}
    assert build(plain)[0].model.config.num_units == tiny.NUM_UNITS + 5


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ({"unit_model": "another"}, "units of another, the recipe of units of"),
        ({"changes": {"num_units": 30}}, "a unit dictionary of 30 entries, the recipe of one of 10"),
        ({"changes": {"unit_rate": 50.0}}, "50 units a second, the recipe of 100"),
        ({"tokenizer": CharacterTokenizer.train(["xyz"])}, "another text vocabulary"),
        ({"kind": "speechut"}, "a speechut, the recipe of a speechlm"),
    ],
    ids=["units", "size", "rate", "vocabulary", "kind"],
)
def test_weights_of_other_dictionaries_are_refused(
    recipes: dict[str, Any], tmp_path: Path, folder: dict[str, Any], told: str
) -> None:
    init = write_folder(tmp_path / "model", **{"kind": "speechlm", **folder})
    plain = recipes["speechlm"] | {"init": str(init), "model": {"kind": "speechlm"}}
    with pytest.raises(CheckpointError, match=told) as caught:
        build(plain)
    assert "Take the tokenizer and the units" in str(caught.value)


@pytest.mark.parametrize("key", ["vocab_size", "num_units", "unit_rate", "num_top_units"])
def test_what_follows_from_tokenizer_and_units_is_no_choice(recipes: dict[str, Any], key: str) -> None:
    plain = recipes["speechlm"]
    with pytest.raises(RecipeError, match=f"follow from tokenizer and units .*{key}"):
        build(plain, {"model": {"changes": {key: 12}}})


def test_speech_and_text_of_different_units_are_refused(recipes: dict[str, Any], tmp_path: Path) -> None:
    plain = recipes["speechut"]
    other = tiny.unit_model(seed=1)
    store = speech_units.write_store(tmp_path / "other", other, reduced=True)
    with pytest.raises(VocabularyError, match="made by something else"):
        build(plain, {"paired": {"train": [str(store)]}})
    with pytest.raises(VocabularyError, match="made by something else"):
        build(plain, {"mono": {"text": [str(store)]}})
    other.save(tmp_path / "other-units")
    with pytest.raises(VocabularyError, match="another unit model"):
        build(plain, {"units": str(tmp_path / "other-units")})


def test_the_size_of_a_batch_of_units() -> None:
    recipe = load_recipe("speechut_base")
    assert isinstance(recipe, UnitPretrainingRecipe)
    # 1.4 million samples are 4375 frames; two thirds of them as units.
    assert batch_units(recipe, 2 / 3) == 2916
