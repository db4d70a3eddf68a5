from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recognizers
import tiny
from sprachbund.decoding.recognition.config import USUAL, DecodingConfig, FusedModel
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.errors import DataError, RecipeError
from sprachbund.evaluation.evaluate import EvaluationResult, evaluate
from sprachbund.evaluation.tuning import GRIDS, EncodedClips, Trial, choose_clips, compare, require_metric, tune

MODELS = (FusedModel(path="lm", weight=0.3), FusedModel(path="words", weight=0.3))
JOINT = DecodingConfig(method="joint", language_models=MODELS)


def result_with(words: int, characters: int) -> EvaluationResult:
    """Of ten clips of one word of ten letters, so many words and letters of which are wrong."""
    wrong = [characters // 10 + (place < characters % 10) for place in range(10)]
    texts = [("x" * count + "a" * (10 - count)) if place < words else "a" * 10 for place, count in enumerate(wrong)]
    return evaluate((f"clip-{place}", "a" * 10, text) for place, text in enumerate(texts))


class Bowl:
    """Fewest errors where every value is the wanted one; more of them the further away."""

    def __init__(self, **wanted: float) -> None:
        self.wanted, self.asked = wanted, list[DecodingConfig]()

    def errors(self, config: DecodingConfig) -> int:
        weights = {f"lm{number}": model.weight for number, model in enumerate(config.language_models)}
        values = vars(config.search()) | weights
        return min(10, int(sum(4 * abs(values[name] - value) for name, value in self.wanted.items())))

    def __call__(self, config: DecodingConfig) -> EvaluationResult:
        self.asked.append(config)
        errors = self.errors(config)
        return result_with(errors, 10 * errors)


def test_the_best_setting_of_the_grid_is_found():
    bowl = Bowl(ctc_weight=0.6, lm0=0.8, lm1=0.0, length_bonus=1.5)
    tuned = tune(bowl, JOINT, max_trials=200)
    assert bowl.errors(tuned.config) == 0
    assert tuned.trials[0].config == JOINT
    assert [trial.config for trial in tuned.trials] == bowl.asked
    assert len(set(bowl.asked)) == len(bowl.asked), "a setting was decoded twice"


@settings(deadline=None, max_examples=10)
@given(
    wanted=st.fixed_dictionaries({"ctc_weight": st.floats(0, 1), "lm0": st.floats(0, 1.3)}),
    max_trials=st.integers(1, 30),
)
def test_what_is_told_is_the_best_of_what_was_tried(wanted: dict[str, float], max_trials: int):
    bowl, told = Bowl(**wanted), list[Trial]()
    tuned = tune(bowl, JOINT, max_trials=max_trials, on_trial=told.append)
    assert len(tuned.trials) <= max_trials
    assert told == list(tuned.trials)
    assert bowl.errors(tuned.config) == min(bowl.errors(trial.config) for trial in tuned.trials)
    assert tune(Bowl(**wanted), JOINT, max_trials=max_trials) == tuned


def test_where_nothing_helps_the_beginning_stays():
    tuned = tune(Bowl(), JOINT, max_trials=100)
    assert tuned.config == JOINT
    assert len(tuned.trials) < 100


def test_the_metric_decides_and_the_other_between_equals():
    def decode(config: DecodingConfig) -> EvaluationResult:
        weight = config.search().ctc_weight
        words, characters = {0.1: (4, 60), 0.2: (5, 30), 0.4: (4, 50)}.get(weight, (6, 70))
        return result_with(words, characters)

    start = DecodingConfig(method="joint")
    assert tune(decode, start).config.ctc_weight == 0.4
    assert tune(decode, start, metric="cer").config.ctc_weight == 0.2


def test_beams_are_tried_where_they_are_asked_for():
    start = DecodingConfig(method="ctc-beam")
    assert tune(Bowl(beam=8), start, beams=(4, 8)).config.beam == 8
    bowl = Bowl(beam=8)
    tune(bowl, start)
    assert {config.beam for config in bowl.asked} == {None}


def test_the_usual_value_is_not_tried_twice():
    bowl = Bowl(ctc_weight=0.9)
    tune(bowl, DecodingConfig(method="joint"), max_trials=len(GRIDS["ctc_weight"]))
    assert sorted(config.search().ctc_weight for config in bowl.asked) == sorted(GRIDS["ctc_weight"])
    assert USUAL["joint"].ctc_weight in GRIDS["ctc_weight"]


def test_a_method_without_weights_is_refused():
    with pytest.raises(RecipeError, match=r"nothing to tune.*decoder ctc"):
        tune(Bowl(), DecodingConfig())
    with pytest.raises(RecipeError, match=r"no such metric.*mos.*wer, cer"):
        require_metric("mos")
    assert [require_metric(name) for name in ("wer", "cer")] == ["wer", "cer"]


def test_settings_are_compared_on_the_same_clips():
    one, other = result_with(2, 20), result_with(6, 30)
    assert compare(one, other, "wer").difference == pytest.approx(-0.4)
    assert compare(one, other, "cer").difference == pytest.approx((2 * 2 - 6 * 3) / 100)


class Named:
    def __init__(self, name: str) -> None:
        self.id = name


@given(names=st.lists(st.text(min_size=1, max_size=4), unique=True, max_size=12), most=st.integers(1, 12))
def test_clips_are_chosen_by_their_ids(names: list[str], most: int):
    chosen = [cut.id for cut in choose_clips([Named(name) for name in names], most)]
    assert len(chosen) == min(most, len(names))
    assert chosen == [name for name in names if name in chosen]
    backwards = [cut.id for cut in choose_clips([Named(name) for name in reversed(names)], most)]
    assert set(backwards) == set(chosen)


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return recognizers.outspoken_recognizer()


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return list(tiny.make_cuts(tmp_path_factory.mktemp("clips"), 5, samples=(9000, 399, 16_000, 700, 12_000)))


def test_clips_encoded_once_say_what_they_say_otherwise(
    recognizer: Recognizer, cuts: list[Any], monkeypatch: pytest.MonkeyPatch
):
    from sprachbund.serving.manifests import decode_cuts

    config = DecodingConfig(batch_seconds=1.0)
    clips = EncodedClips(recognizer, cuts, config, at_once=2)
    monkeypatch.setattr(recognizer.model, "encode_speech", None)
    for method in ("ctc", "ctc-beam", "joint"):
        setting = DecodingConfig(method=method)  # type: ignore[arg-type]  # each is one
        result = clips.decode(setting)
        assert clips.decode(setting) is result
        monkeypatch.undo()
        decoded = decode_cuts(recognizer, cuts, setting)
        monkeypatch.setattr(recognizer.model, "encode_speech", None)
        assert tuple(clip.hypothesis for clip in result.clips) == decoded.hypotheses
        assert tuple(clip.reference for clip in result.clips) == decoded.references
        assert result.seconds == pytest.approx(decoded.audio_seconds)


def test_tuning_a_search_makes_no_more_errors(recognizer: Recognizer, cuts: list[Any], tmp_path: Path):
    model = FusedModel(path=str(recognizers.write_language_model(tmp_path / "lm")))
    start = DecodingConfig(method="joint", beam=2, language_models=(model,))
    clips = EncodedClips(recognizer, cuts, start)
    tuned = tune(clips.decode, start, metric="cer", max_trials=12)
    assert clips.decode(tuned.config).cer.errors <= clips.decode(start).cer.errors
    assert replace(tuned.config, language_models=()).method == "joint"


def test_no_clip_is_refused(recognizer: Recognizer, cuts: list[Any], tmp_path: Path):
    with pytest.raises(DataError, match="no clip to decode"):
        EncodedClips(recognizer, [], DecodingConfig())
    silent = list(tiny.make_cuts(tmp_path, 1, texts=False))
    with pytest.raises(DataError, match="exactly one transcript"):
        EncodedClips(recognizer, silent, DecodingConfig())
