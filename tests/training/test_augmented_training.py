"""Augmentation in a whole run: what plans, filters and held-out clips make of it."""

from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from sprachbund.config import from_mapping
from sprachbund.data.batches.augmentation import AugmentationConfig
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import DataError, RecipeError
from sprachbund.training.assembly.assemble import assemble
from sprachbund.training.assembly.parts import Assembly
from sprachbund.training.recipe import load_recipe
from sprachbund.training.run import train
from sprachbund.training.speech_recipes import PretrainingRecipe, RecognitionRecipe

EVERYTHING = {
    "noise": {"kinds": ["white", "pink", "brown"], "probability": 0.8},
    "babble": {"speakers": [1, 2], "probability": 0.8},
    "reverberation": {"probability": 0.8},
    "volume": {},
}


def recognition(folder: Path, augmentation: dict[str, Any], **speech: Any) -> RecognitionRecipe:
    plain = tiny.recognition_recipe(folder)
    plain["speech"] |= speech
    return from_mapping(RecognitionRecipe, {**plain, "augmentation": augmentation}, "test")


def pretraining(folder: Path, augmentation: dict[str, Any], **changes: Any) -> PretrainingRecipe:
    plain = {**tiny.pretraining_recipe(folder), **changes}
    return from_mapping(PretrainingRecipe, {**plain, "augmentation": augmentation}, "test")


def batches(assembly: Assembly, name: str, epochs: int = 3) -> list[Any]:
    collate = assembly.collators[name]
    plans = [plan for epoch in range(epochs) for plan in assembly.streams[name].plans(epoch)]
    return [collate(plan, draw) for draw, plan in enumerate(plans)]


@pytest.mark.parametrize("factors", [[0.9, 1.0, 1.1], [0.5], [1.3]])
def test_no_batch_is_longer_than_it_may_be(tmp_path: Path, factors: list[float]) -> None:
    recipe = recognition(tmp_path, {"speed": {"factors": factors}})
    made = batches(assemble(recipe, print), "transcribed")
    several = [batch for batch in made if len(batch.ids) > 1]
    assert several
    for batch in several:
        # Half a sample a row is what rounding may add.
        assert batch.waveforms.numel() <= recipe.speech.batch_seconds * 16_000 + len(batch.ids)
    lengths = {length for batch in made for length in batch.waveform_lengths.tolist()}
    assert lengths <= {round(samples / factor) for samples in tiny.clip_samples(8) for factor in factors}


def test_clips_that_speed_would_make_too_dense_are_left_out(tmp_path: Path) -> None:
    said: list[str] = []
    # 4000 samples are 12 frames, and 6 of them at twice the speed.
    plain = recognition(tmp_path, {"speed": {"factors": [1.0, 2.0]}}, min_seconds=0.1)
    path = tiny.write_corpus(tmp_path / "dense", samples=(4_000, 16_000), name="dense")
    cuts = list(read_cuts(path))
    for cut in cuts:
        cut.supervisions[0].text = "abcdefgh"[: 7 if cut is cuts[0] else 3]
    write_cuts(cuts, path)
    plain = from_mapping(
        RecognitionRecipe,
        {**tiny.recognition_recipe(tmp_path), "speech": {"train": [str(path)], "min_seconds": 0.1}},
        "test",
    )
    assert len(_cuts_of(assemble(plain, said.append))) == 2
    fast = from_mapping(
        RecognitionRecipe,
        {
            **tiny.recognition_recipe(tmp_path),
            "speech": {"train": [str(path)], "min_seconds": 0.1},
            "augmentation": {"speed": {"factors": [1.0, 2.0]}},
        },
        "test",
    )
    assert _cuts_of(assemble(fast, said.append)) == {"dense-001"}
    assert any("1 clips have no text, or more of it than frames" in sentence for sentence in said)


def _cuts_of(assembly: Assembly) -> set[str]:
    return {cut.id for plan in assembly.streams["transcribed"].plans(0) for cut in plan}


def test_held_out_clips_stay_as_they_are(tmp_path: Path) -> None:
    for make in (recognition, pretraining):
        changed, plain = assemble(make(tmp_path, EVERYTHING), print), assemble(make(tmp_path, {}), print)
        assert len(changed.held_out) == len(plain.held_out) > 0
        for one, other in zip(changed.held_out, plain.held_out, strict=True):
            for name in one:
                assert tiny.differences(one[name], other[name]) == []
        name = "transcribed" if make is recognition else "speech"
        heard, clean = (batches(assembly, name, 1)[0] for assembly in (changed, plain))
        assert heard.ids == clean.ids
        assert not torch.equal(heard.waveforms, clean.waveforms)


def test_pretraining_may_not_change_speed(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="changes lengths, which units do not follow: save the faster"):
        pretraining(tmp_path, {"speed": {}})
    with pytest.raises(RecipeError, match="nothing to augment"):
        pretraining(tmp_path, EVERYTHING, speech=None)
    recipe = pretraining(tmp_path, {})
    assert recipe.speech is not None
    path = Path(recipe.speech.train[0])
    write_cuts([cut.perturb_speed(1.1) for cut in read_cuts(path)], path)
    with pytest.raises(DataError, match="frame labels changes the speed"):
        assemble(recipe, print)


def test_clips_without_a_speaker_are_counted(tmp_path: Path) -> None:
    said: list[str] = []
    assemble(recognition(tmp_path, {"babble": {}}), said.append)
    assert any(sentence.startswith("8 clips name no speaker") for sentence in said)
    said.clear()
    assemble(recognition(tmp_path, {"noise": {"kinds": ["pink"]}}), said.append)
    assert said == []


def test_a_missing_manifest_of_noise_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"manifest does not exist in .*gone"):
        assemble(recognition(tmp_path, {"noise": {"manifests": [str(tmp_path / "gone.jsonl.gz")]}}), print)


def test_an_augmented_run_ends_with_a_model(tmp_path: Path) -> None:
    recipe = recognition(tmp_path, {**EVERYTHING, "speed": {}})
    model = train(recipe, tmp_path / "run")
    assert (model / "model.safetensors").is_file()


def test_the_shipped_recipe_changes_nothing_but_the_sound() -> None:
    noisy, plain = load_recipe("speecht5_tiny_asr_noisy"), load_recipe("speecht5_tiny_asr")
    assert noisy.augmentation.is_on
    assert plain.augmentation == AugmentationConfig()
    assert noisy.augmentation.noise is not None
    assert noisy.augmentation.noise.manifests == ()
    assert noisy.speech == plain.speech
    assert noisy.run == plain.run
