import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import tiny
from decoding.phone_models import write_ctc_model, write_phone_model
from experiments.preparable import USED, phone_plan, use_small_lexicon, workshop, write_sources
from sprachbund.checkpoints.store import load_model
from sprachbund.data.aligning import pocketsphinx_aligner
from sprachbund.data.phone_durations import measure_durations
from sprachbund.data.phones import symbols_of_labels
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.text.store import LineStore
from sprachbund.data.text.unit_lines import MAX_UNITS
from sprachbund.data.units import load_units
from sprachbund.decoding.phones.recognizer import PhoneRecognizer
from sprachbund.errors import RecipeError
from sprachbund.experiments.preparing.phones import prepare_phones
from sprachbund.experiments.preparing.plans import PhonePlan
from sprachbund.experiments.preparing.workshop import Workshop
from sprachbund.tokens.lexicon import Lexicon
from sprachbund.tokens.phone_durations import PhoneDurations
from sprachbund.tokens.phone_labels import PhoneLabels


@pytest.fixture(autouse=True)
def _small_lexicon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_small_lexicon(monkeypatch, tmp_path)


def prepared(plan: PhonePlan, out: Path) -> tuple[Workshop, list[str]]:
    shop, said = workshop(plan, out)
    prepare_phones(shop, plan)
    return shop, said


def test_speech_has_the_phones_that_the_model_hears(tmp_path: Path) -> None:
    plan = phone_plan(tmp_path)
    shop, _ = prepared(plan, tmp_path / "out")
    assert plan.phone_model is not None
    recognizer = PhoneRecognizer(plan.phone_model, tuple(read_cuts(plan.sources.paired[0])))
    labels = PhoneLabels.load(shop.units)
    assert labels == PhoneLabels(False, 100, recognizer.fingerprint)
    assert PhoneDurations.load(shop.out / "durations.json").frame_shift == 0.01
    for manifest in (*plan.sources.speech, *plan.sources.valid):
        cuts = list(read_cuts(shop.labelled(manifest)))
        assert [cut.id for cut in cuts] == [cut.id for cut in read_cuts(manifest)]
        for cut in cuts:
            units = load_units(cut, labels.fingerprint)
            heard = symbols_of_labels(cut, len(units), 0.01)
            told = [symbol is None or labels.symbols[unit] == symbol for unit, symbol in zip(units, heard, strict=True)]
            assert all(told) and len(units) == pytest.approx(100 * cut.duration, abs=1)


def test_phones_of_text_last_as_long_as_those_of_the_pairs(tmp_path: Path) -> None:
    plan = phone_plan(tmp_path, rate=50)
    shop, _ = prepared(plan, tmp_path / "out")
    durations = PhoneDurations.load(shop.out / "durations.json")
    assert durations == measure_durations(read_cuts(plan.sources.paired[0]), 0.02)
    store = LineStore(shop.paired("01-text-lines"))
    assert len(store) == USED
    settings = store.facts["settings"]["work"]
    assert settings["durations"] == json.loads(json.dumps(durations.to_mapping()))
    assert settings["durations"]["frame_shift"] == 0.02
    assert settings["longest"] == MAX_UNITS
    repeated = store.text("phones", 0).split()
    assert len(repeated) > 2 * len(dict.fromkeys(repeated))
    assert store.fields["phones"].vocabulary.symbols[4:] == PhoneLabels.load(shop.units).symbols  # type: ignore[union-attr]  # ids


def test_the_second_time_nothing_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = phone_plan(tmp_path)
    shop, _ = prepared(plan, tmp_path / "out")
    files = [path for path in sorted(shop.out.rglob("*")) if path.is_file()]
    times = [path.stat().st_mtime_ns for path in files]

    def find(*_: object) -> None:
        raise AssertionError("speech is heard a second time")

    monkeypatch.setattr(PhoneRecognizer, "find", find)
    _, said = prepared(plan, tmp_path / "out")
    stages = [sentence for sentence in said if sentence.startswith("out, ")]
    assert len(stages) == 6 and all(sentence.endswith("already there") for sentence in stages)
    assert [path for path in sorted(shop.out.rglob("*")) if path.is_file()] == files
    assert [path.stat().st_mtime_ns for path in files] == times


def test_a_model_of_ctc_will_do(tmp_path: Path) -> None:
    plan = phone_plan(tmp_path, phone_model=write_ctc_model(tmp_path / "ctc"))
    shop, _ = prepared(plan, tmp_path / "out")
    assert PhoneLabels.load(shop.units).aligner == PhoneRecognizer(tmp_path / "ctc").fingerprint


@pytest.mark.parametrize("is_asked", [False, True])
def test_places_in_words_go_with_the_model(tmp_path: Path, is_asked: bool) -> None:
    model = write_phone_model(tmp_path / "phone-model", places=not is_asked)
    plan = phone_plan(tmp_path, phone_model=model, word_positions=is_asked)
    with pytest.raises(RecipeError, match="the phone model has other phones"):
        prepared(plan, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_recipe_of_another_kind_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    plan = phone_plan(tmp_path, phone_model=None, recipe="text_to_unit_tiny")
    with pytest.raises(RecipeError):
        prepared(plan, tmp_path / "out")
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(tiny.recognition_recipe(tmp_path / "unused")), "utf-8")
    plan = phone_plan(tmp_path, phone_model=None, recipe=str(tmp_path / "other.yaml"))
    with pytest.raises(RecipeError, match=r"key 'targets' is not known|trains no phone model"):
        prepared(plan, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_phone_model_is_trained_on_the_pairs(tmp_path: Path) -> None:
    values = tiny.encoder_recipe(tmp_path / "unused", steps=2)
    (tmp_path / "phones.yaml").write_text(yaml.safe_dump(values), "utf-8")
    plan = phone_plan(tmp_path, phone_model=None, recipe=str(tmp_path / "phones.yaml"), overrides=("run.seed=5",))
    shop, _ = prepared(plan, tmp_path / "out")
    model = load_model(shop.out / "phone_model" / "run" / "model")
    assert str(model.facts["phones"]).split() == list(PhoneLabels().symbols)
    labels = PhoneLabels.load(shop.out / "phone_model" / "labels")
    assert labels.rate == 50
    learned = {cut.id for cut in read_cuts(shop.out / "phone_model" / "train.jsonl.gz")}
    assert learned == {f"clip-00{number}" for number in range(3)}
    other = phone_plan(tmp_path, phone_model=None, recipe=plan.recipe, overrides=("run.seed=6",))
    with pytest.raises(RecipeError, match=r"other choices.*different: recipe"):
        prepared(other, tmp_path / "out")


def test_pocketsphinx_reads_the_transcripts_of_the_pairs_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, list[str]] = {}

    def find(self: Any, cuts: Any, jobs: int) -> Any:
        asked.update({cut.id: [said.text for said in cut.supervisions] for cut in cuts})
        yield from iter(())

    monkeypatch.setattr(pocketsphinx_aligner, "_lexicon", lambda: Lexicon({}))
    monkeypatch.setattr(pocketsphinx_aligner.PocketSphinxAligner, "find", find)
    plan = phone_plan(tmp_path, phone_model=None, decode=True, sources=write_sources(tmp_path))
    with pytest.raises(ValueError, match="shorter"):
        prepared(plan, tmp_path / "out")
    assert {name: bool(texts) for name, texts in asked.items()} == {
        "clip-000": True, "clip-001": True, "clip-002": True, "clip-003": False, "clip-004": False,
    }  # fmt: skip
