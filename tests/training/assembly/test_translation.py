from dataclasses import replace
from pathlib import Path

import pytest
import torch

import tiny
import translated
from sprachbund.data.batches.batch import TranscribedBatch
from sprachbund.errors import CheckpointError, DataError, RecipeError
from sprachbund.models.speech_encoder import reduced_stack
from sprachbund.models.speech_units.config import DECODER_DISTANCE
from sprachbund.models.speech_units.model import SpeechUnitModel
from sprachbund.objectives.recognition import Recognition
from sprachbund.training.recipe import load_recipe
from training.assembly.building import build, ids

KINDS = ("speechlm", "speechut")
TEXT = ("decoder.", "text_decoder_prenet.", "text_head.")


@pytest.mark.parametrize("kind", KINDS)
def test_random_weights_have_a_decoder_and_nothing_of_units(tmp_path: Path, kind: str):
    assembly, told = build(translated.translation_recipe(tmp_path, kind))
    model = assembly.model
    assert isinstance(assembly.objective, Recognition) and isinstance(model, SpeechUnitModel)
    assert model.has_text_decoder and model.ctc_head is None and model.unit_predictor is None
    assert model.config.decoder == replace(reduced_stack(128, 2, DECODER_DISTANCE), dim=32, ffn_dim=64)
    assert model.config.vocab_size == len(translated.german().vocabulary)
    assert assembly.facts == {"stage": "translation", "target": "de", "init": None}
    assert told == ""


@pytest.mark.parametrize("kind", KINDS)
def test_the_encoder_of_a_folder_is_kept_and_the_rest_is_told(tmp_path: Path, kind: str):
    folder = translated.write_pretrained(tmp_path / "model", kind, 5)
    assembly, told = build(translated.translation_recipe(tmp_path, kind, folder))
    given, old = assembly.model.state_dict(), translated.pretrained(kind, 5).state_dict()
    kept = [name for name in given if name in old and torch.equal(given[name], old[name])]
    changed = {name for name in given if name not in kept}
    # A decoder of before is kept, but for what knows the symbols of another text.
    symbols = {"text_decoder_prenet.embedding.weight", "text_head.weight"}
    if kind == "speechut":
        assert changed == symbols
        assert "text_decoder_prenet, text_head." in told
    else:
        assert changed == {name for name in given if name.startswith(TEXT)}
        assert "decoder, text_decoder_prenet, text_head." in told
    assert not any(name.startswith(("ctc_head.", "unit_predictor.", "top_predictor.")) for name in given)
    assert assembly.facts == {"stage": "translation", "target": "de", "init": str(folder)}


def test_a_translator_goes_on_with_all_its_weights(tmp_path: Path):
    folder = translated.write_translator(tmp_path / "model", seed=2)
    assembly, told = build(translated.translation_recipe(tmp_path, "speechut", folder))
    again, _ = build(translated.translation_recipe(tmp_path, "speechut", folder, {"run": {"seed": 9}}))
    one, other = assembly.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert told == ""


def test_speecht5_translates_too(tmp_path: Path):
    folder = tiny.write_model_folder(tmp_path / "model", 3)
    plain = translated.translation_recipe(tmp_path, "speecht5", folder)
    plain["model"]["changes"] = {}
    assembly, _ = build(plain)
    given, old = assembly.model.state_dict(), tiny.tiny_model(3).state_dict()
    assert torch.equal(given["encoder.layers.0.attention.out.weight"], old["encoder.layers.0.attention.out.weight"])
    assert torch.equal(given["decoder.layers.0.final_norm.weight"], old["decoder.layers.0.final_norm.weight"])
    assert len(given["text_head.weight"]) == len(translated.german().vocabulary)


def test_what_is_read_and_written(tmp_path: Path):
    plain = translated.translation_recipe(tmp_path, "speechut")
    assembly, _ = build(plain)
    assert assembly.tokenizer.vocabulary == translated.german().vocabulary
    [micro] = assembly.held_out
    batch = micro["transcribed"]
    assert isinstance(batch, TranscribedBatch)
    assert (batch.time_mask, batch.channel_mask) == (None, None)
    for place, row in enumerate(batch.ids):
        said = translated.TRANSLATIONS[int(row.rpartition("-")[2])]
        assert assembly.tokenizer.decode(batch.targets[place].tolist()) == said
    loss = assembly.objective(batch)
    assert [term.name for term in loss.terms] == ["decoder"]
    with torch.no_grad():
        learned = assembly.collators["transcribed"](list(assembly.streams["transcribed"].cuts)[:2], 0)
    assert learned.time_mask.any()


def test_clips_without_a_translation_or_too_long_are_counted(tmp_path: Path):
    mixed = translated.write_corpus(tmp_path / "mixed", 5, name="mixed", without=(1, 3))
    plain = translated.translation_recipe(tmp_path, "speechut")
    assembly, told = build(plain, {"speech": {"train": [str(mixed)], "max_seconds": 1.0}})
    lengths = [samples / 16_000 for samples in tiny.clip_samples(5)]
    wanted = {f"mixed-{place:03d}" for place in (0, 2, 4) if lengths[place] <= 1.0}
    assert ids(assembly.streams["transcribed"]) == wanted and 0 < len(wanted) < 3
    assert "2 clips" in told and "no translation (de)" in told
    assert f"{3 - len(wanted)} clips" in told and "longer than 1.0 s" in told
    with pytest.raises(DataError, match=r"no clip has a translation.*Known are: de, fr"):
        build(plain, {"target": "xx"})
    with pytest.raises(DataError, match="no clip can be trained on"):
        build(plain, {"speech": {"train": [str(mixed)], "max_seconds": 0.3}})


def test_what_cannot_translate_is_refused(tmp_path: Path):
    hubert = tiny.write_hubert_folder(tmp_path / "hubert")
    plain = translated.translation_recipe(tmp_path, "speechut")
    with pytest.raises(CheckpointError, match="no text decoder and cannot be given one"):
        build(plain, {"init": str(hubert)})
    other = translated.write_pretrained(tmp_path / "other", "speechlm")
    with pytest.raises(CheckpointError, match=r"another family.*speechlm, wanted speechut"):
        build(plain, {"init": str(other)})
    for changes, words in (
        ({"model": {"kind": "hubert"}}, "model.kind is hubert"),
        ({"objective": {"ctc_weight": 0.3}}, "decoder's alone"),
        ({"objective": {"decoder_weight": 0.0, "ctc_weight": 0.0}}, "decoder's alone"),
        ({"objective": {"decoder_weight": 1.0}}, "decoder's alone"),
    ):
        with pytest.raises(RecipeError, match=words):
            build(plain, changes)


@pytest.mark.parametrize("size", ["tiny", "base"])
def test_the_shipped_recipes(size: str):
    for kind, smoothing in (("speechut", 0.3), ("speechlm", 0.2)):
        recipe = load_recipe(f"{kind}_translation_{size}", verb="finetune")
        assert (recipe.objective.label_smoothing, recipe.model.size) == (smoothing, size)
        assert recipe.init is not None and kind in str(recipe.init)
