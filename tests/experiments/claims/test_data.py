from dataclasses import replace
from pathlib import Path

import pytest

import tiny
from experiments.claims_folder import BUDGET, shared_of
from sprachbund.data.batches.collate import transcript_of
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.text.blocks import transform_lines
from sprachbund.data.text.normalized import NormalizedText
from sprachbund.experiments.claims.data import SharedData
from sprachbund.experiments.claims.work import do
from sprachbund.experiments.preparing.plans import PhonePlan, UnitPlan
from sprachbund.models.ngram.store import load_ngram
from sprachbund.tokens.text import load_tokenizer

NOTE = '{"made_of": {}, "result": "x"}'


@pytest.fixture
def shared(tmp_path: Path) -> SharedData:
    """Steel Sky of tones, and text."""
    budget = replace(BUDGET, labelled_minutes=0.05, every_line=3)
    shared = shared_of(tmp_path, budget)
    folder = tmp_path / "corpora" / "steel-sky"
    write_cuts(tiny.make_cuts(folder, 12), folder / "train.jsonl.gz")
    tiny.write_text(tmp_path / "corpora" / "wordnet", [f"line {word}" for word in "abcdefgh"])
    note = shared.places.note("corpora")
    note.parent.mkdir(parents=True)
    note.write_text(NOTE)
    return shared


def test_the_labelled_minutes_and_the_text_are_chosen_once_and_for_all(shared: SharedData) -> None:
    places = shared.places
    job = {job.name: job for job in shared.jobs()}["data"]
    do(job, places, shared.say)
    labelled = list(read_cuts(places.labelled))
    everything = {cut.id: transcript_of(cut) for cut in read_cuts(places.manifest("steel-sky", "train"))}
    assert 0 < sum(cut.duration for cut in labelled) <= 60 * shared.budget.labelled_minutes
    assert 0 < len(labelled) < len(everything)
    assert places.text.read_text("utf-8") == "line c\nline f\n"
    symbols = set(load_tokenizer(places.tokenizer).vocabulary.symbols)
    assert symbols >= set("".join(transcript_of(cut) for cut in labelled) + "linecf") - {" "}
    # The letters of transcripts that are not among the labelled ones are not looked at.
    before = job.result()
    job.work()
    assert job.result() == before


def test_plans_share_their_sources(shared: SharedData) -> None:
    plans = {data: shared.plan(data) for data in ("speechlm-p", "speechlm-h", "speechut")}
    phones, units, reduced = plans.values()
    assert isinstance(phones, PhonePlan)
    assert isinstance(units, UnitPlan)
    assert isinstance(reduced, UnitPlan)
    for plan in plans.values():
        assert plan.sources.speech == shared.speech
        assert plan.sources.text == (str(shared.places.text),)
        assert {path.name for path in plan.sources.held_out} == {"test.jsonl.gz", "all.jsonl.gz"}
    assert phones.sources.paired == units.sources.paired == (shared.places.labelled,)
    # SpeechUT reads what the other's text-to-unit model writes, of the same units.
    assert reduced.sources.paired == ()
    assert reduced.units == shared.places.prepared("speechlm-h") / "units"
    assert (units.layer, units.num_units) == (shared.budget.layer, shared.budget.num_units)


def test_choices_of_preparing_do_not_name_places(shared: SharedData, tmp_path: Path) -> None:
    jobs = {job.name: job for job in shared.jobs()}
    for data in ("speechlm-p", "speechlm-h", "speechut"):
        choices = jobs[f"prepare-{data}"].choices()
        assert choices["kind"] == data
        assert str(tmp_path) not in str(choices)


def test_the_lines_that_are_read_are_not_those_to_validate_on(shared: SharedData) -> None:
    folder = shared.places.prepared("speechlm-h") / "text"
    for name in ("01-data-wordnet", "valid-steel-sky-dev"):
        (folder / name).mkdir(parents=True)
    assert shared.lines() == folder / "01-data-wordnet"


def test_the_language_model_knows_the_text_and_the_labelled_transcripts(shared: SharedData) -> None:
    jobs = {job.name: job for job in shared.jobs()}
    do(jobs["data"], shared.places, shared.say)
    text = tiny.write_text(shared.places.out / "given", ["word alone"])
    transform_lines(
        str(text), NormalizedText.without(()), shared.places.prepared("speechlm-h") / "text" / "01-data-wordnet", jobs=1
    )
    jobs["language-model"].work()
    words = set(load_ngram(shared.places.language_model).words)
    said = {word for cut in read_cuts(shared.places.labelled) for word in transcript_of(cut).split()}
    assert words >= said | {"word", "alone"}
