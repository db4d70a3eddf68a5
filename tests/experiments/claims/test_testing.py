"""A row from random weights through training, tuning and tests, on tones."""

from dataclasses import replace
from pathlib import Path

import pytest
from lhotse import CutSet

import tiny
from experiments.claims_folder import BUDGET, shared_of
from sprachbund.data.storage.manifest import write_cuts
from sprachbund.data.text.sources import open_text
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
    testing = RowEvaluation(Training(ROW, shared_of(tmp_path)))
    assert testing.tune().needs == ("language-model", "corpora", "none-ctc-recognition-1")
    # Every seed is decoded with the search that was tuned with the first.
    assert testing.recognition(2).needs == ("language-model", "corpora", "none-ctc-tuning", "none-ctc-recognition-2")
    assert testing.translation("de", 2).needs == ("corpora", "none-ctc-de-2")


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
    testing = RowEvaluation(training)
    jobs = [training.recognize(1), testing.tune(), testing.recognition(1)]
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
