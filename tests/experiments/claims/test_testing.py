"""A row from random weights through training, tuning and tests, on tones."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from lhotse import CutSet
from lhotse.cut import Cut

import tiny
from experiments.claims_folder import BUDGET, shared_of
from sprachbund.data.batches.collate import transcript_of
from sprachbund.data.storage.manifest import write_cuts
from sprachbund.data.text.sources import open_text
from sprachbund.decoding.recognition.config import DecodingConfig
from sprachbund.evaluation.tuning import Tuned
from sprachbund.experiments.claims import testing
from sprachbund.experiments.claims.figures import collect
from sprachbund.experiments.claims.rows import ROWS
from sprachbund.experiments.claims.testing import RowEvaluation
from sprachbund.experiments.claims.training import Training
from sprachbund.experiments.claims.work import do, is_finished
from sprachbund.models.ngram.build import NgramConfig, build_ngram
from sprachbund.models.ngram.store import save_ngram
from sprachbund.serving.settings import read_settings

ROW = next(row for row in ROWS if row.name == "none-ctc")


def test_names_and_needs(tmp_path: Path) -> None:
    row = RowEvaluation(Training(ROW, shared_of(tmp_path)))
    assert row.tune().needs == ("language-model", "corpora", "none-ctc-recognition-1")
    # Every seed is decoded with the search that was tuned with the first.
    assert row.recognition(2).needs == ("language-model", "corpora", "none-ctc-tuning", "none-ctc-recognition-2")
    assert row.translation("de", 2).needs == ("corpora", "none-ctc-de-2")


def test_what_is_tuned_on_and_what_is_tested_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = shared_of(tmp_path, replace(BUDGET, tuning_clips=2, test_clips=None))
    for corpus, parts in (("steel-sky", ("dev", "test")), ("asterisk", ("all",))):
        for part in parts:
            cuts = tiny.make_cuts(tmp_path / corpus / part, 3, name=f"{corpus}-{part}")
            write_cuts(cuts, shared.places.manifest(corpus, part))
    tuned_on: list[str] = []
    searched: list[tuple[str, DecodingConfig]] = []

    def take_clips(_: object, cuts: list[Cut], start: DecodingConfig) -> SimpleNamespace:
        tuned_on.extend(cut.id for cut in cuts)
        return SimpleNamespace(decode=None)

    def choose(_: object, start: DecodingConfig, **options: object) -> Tuned:
        return Tuned(replace(start, length_bonus=2.5), ())

    def hear(_: object, cuts: list[Cut], config: DecodingConfig) -> SimpleNamespace:
        searched.append((cuts[0].id.rpartition("-")[0], config))
        said = [transcript_of(cut) for cut in cuts]
        ids = [cut.id for cut in cuts]
        return SimpleNamespace(ids=ids, references=said, hypotheses=said, blank_rate=0.5, audio_seconds=1.0)

    silent = SimpleNamespace(prepare=lambda config: None)
    fakes = {"load": lambda folder: silent, "EncodedClips": take_clips, "tune": choose, "decode_cuts": hear}
    for name, fake in fakes.items():
        monkeypatch.setattr(testing, name, fake)
    row = RowEvaluation(Training(ROW, shared))
    row.tune().work()
    row.recognition(1).work()
    assert len(tuned_on) == 2
    assert {name.rpartition("-")[0] for name in tuned_on} == {"steel-sky-dev"}
    assert [where for where, _ in searched] == ["steel-sky-test"] * 2 + ["asterisk-all"] * 2
    for plain, beam in (searched[:2], searched[2:]):
        assert plain[1] == DecodingConfig()
        assert (beam[1].method, beam[1].length_bonus) == ("ctc-beam", 2.5)


@pytest.mark.slow
def test_a_row_from_training_to_figures(tmp_path: Path) -> None:
    budget = replace(BUDGET, recognition_steps=2, finetuning_seconds=4.0, tuning_clips=2, tuning_trials=2, test_clips=3)
    shared = shared_of(tmp_path, budget)
    places = shared.places
    for corpus, parts in (("steel-sky", ("train", "dev", "test")), ("asterisk", ("all",))):
        for part in parts:
            cuts = list(tiny.make_cuts(tmp_path / "corpora" / corpus / part, 5, name=part))
            write_cuts(CutSet.from_cuts(cuts), places.manifest(corpus, part))
    write_cuts(tiny.make_cuts(tmp_path / "labelled", 6), places.labelled)
    tiny.character_tokenizer().save(places.tokenizer)
    text = tiny.write_text(tmp_path / "text", [*tiny.LINES] * 3)
    save_ngram(build_ngram([open_text(text)], NgramConfig(order=2)).model, places.language_model)
    for name in ("data", "corpora", "language-model"):
        places.note(name).parent.mkdir(parents=True, exist_ok=True)
        places.note(name).write_text('{"made_of": {}, "result": "x"}')
    training = Training(ROW, shared)
    row = RowEvaluation(training)
    jobs = [training.recognize(1), row.tune(), row.recognition(1)]
    for job in jobs:
        do(job, places, shared.say)
        assert is_finished(job, places)
    found = collect(shared).errors
    assert {(each.row, each.test_set, each.search) for each in found} == {
        ("none-ctc", test_set, search) for test_set in ("steel-sky", "asterisk") for search in ("ctc", "lm")
    }
    config = read_settings(places.settings("none-ctc"))
    assert config.method == "ctc-beam"
    assert Path(config.language_models[0].path).resolve() == places.language_model.resolve()
