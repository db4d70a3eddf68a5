from pathlib import Path
from typing import Any

import pytest

import tiny
import translated
from commands import assert_refused, fingerprints, run_command
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.decoding.recognition.config import DecodingConfig
from sprachbund.evaluation.decoded import DecodedManifest
from sprachbund.evaluation.evaluate import load_evaluation
from sprachbund.evaluation.translation import load_translations
from sprachbund.serving.load import load
from sprachbund.serving.manifests import decode_cuts


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    tiny.write_model_folder(folder / "model", 2, share_ctc_embeddings=False)
    tiny.write_corpus(folder / "corpus", 4)
    return folder


def test_figures_are_said_and_written(workplace: Path, tmp_path: Path):
    manifest = workplace / "corpus" / "clip.jsonl.gz"
    outcome = run_command("evaluate", workplace / "model", manifest, "--out", tmp_path / "figures" / "test")
    assert (outcome.code, outcome.err) == (0, "")
    for word in ("word error rate", "character error", "seconds of speech a second", "clips              4"):
        assert word in outcome.out
    result = load_evaluation(tmp_path / "figures" / "test")
    cuts = list(read_cuts(manifest))
    decoded = decode_cuts(load(workplace / "model"), cuts, DecodingConfig())
    assert tuple(clip.hypothesis for clip in result.clips) == decoded.hypotheses
    assert tuple(clip.reference for clip in result.clips) == tiny.TEXTS[:4]
    assert result.seconds == pytest.approx(decoded.audio_seconds)
    assert result.blank_rate == pytest.approx(decoded.blank_rate)
    errors = sum(clip.words.errors for clip in result.clips)
    assert f"{errors} errors in {sum(len(text.split()) for text in tiny.TEXTS[:4])}" in outcome.out


def test_the_decoder_can_be_chosen(workplace: Path, tmp_path: Path):
    manifest = workplace / "corpus" / "clip.jsonl.gz"
    arguments = ("evaluate", workplace / "model", manifest, "--out", tmp_path / "attention")
    assert run_command(*arguments, "--decoder", "attention", "--beam", 2).code == 0
    decoded = decode_cuts(
        load(workplace / "model"), list(read_cuts(manifest)), DecodingConfig(method="attention", beam=2)
    )
    assert tuple(clip.hypothesis for clip in load_evaluation(tmp_path / "attention").clips) == decoded.hypotheses


def test_a_shar_gives_the_figures_of_its_manifest(workplace: Path, tmp_path: Path):
    manifest, model = workplace / "corpus" / "clip.jsonl.gz", workplace / "model"
    assert run_command("corpus", "export", "shar", manifest, "--out", tmp_path / "shar", "--shard-size", 3).code == 0
    shown = [run_command("evaluate", model, source).out for source in (manifest, tmp_path / "shar")]
    plain, shar = (text.rpartition("decoded")[0] for text in shown)
    assert plain == shar and "clips              4" in plain


def test_nothing_is_written_where_it_cannot_be_done(workplace: Path, tmp_path: Path):
    model, manifest = workplace / "model", workplace / "corpus" / "clip.jsonl.gz"
    silent = tiny.write_corpus(tmp_path / "silent", 2, texts=False)
    before = fingerprints(tmp_path)
    out = ("--out", tmp_path / "figures")
    assert_refused(run_command("evaluate", model, silent, *out), "exactly one transcript", "clip-000")
    assert_refused(run_command("evaluate", model, tmp_path / "none.jsonl", *out), "does not exist", "none.jsonl")
    assert_refused(run_command("evaluate", tmp_path, manifest, *out), "not a model folder")
    assert_refused(run_command("evaluate", model, manifest, *out, "--decoder", "best"), "no such decoder", "best")
    assert fingerprints(tmp_path) == before


def test_a_file_in_the_place_of_the_figures_is_kept(workplace: Path, tmp_path: Path):
    (tmp_path / "figures").write_text("mine")
    manifest = workplace / "corpus" / "clip.jsonl.gz"
    outcome = run_command("evaluate", workplace / "model", manifest, "--out", tmp_path / "figures")
    assert_refused(outcome, "figures", "Check the path")
    assert (tmp_path / "figures").read_text() == "mine"


def test_the_recogniser_of_pocketsphinx_is_evaluated_alike(
    workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What it hears is tested where it is run."""
    asked: list[int] = []

    def decode(cuts: list[Any], jobs: int) -> DecodedManifest:
        asked.append(jobs)
        texts = tuple(cut.supervisions[0].text for cut in cuts)
        return DecodedManifest(tuple(cut.id for cut in cuts), texts, texts, None, 2.0, 0.5)

    monkeypatch.setattr("sprachbund.evaluation.off_the_shelf.decode_cuts_with_pocketsphinx", decode)
    manifest = workplace / "corpus" / "clip.jsonl.gz"
    outcome = run_command("evaluate", "pocketsphinx", manifest, "--jobs", 2, "--out", tmp_path / "figures")
    assert (outcome.code, outcome.err, asked) == (0, "", [2])
    assert "blank frames" not in outcome.out and "decoded 4.0 seconds" in outcome.out
    result = load_evaluation(tmp_path / "figures")
    assert (result.blank_rate, result.wer.errors, result.num_clips) == (None, 0, 4)
    refused = run_command("evaluate", "pocketsphinx", manifest, "--beam", 3)
    assert_refused(refused, "pocketsphinx takes none of the options")


def test_translations_are_scored_and_compared(tmp_path: Path):
    model = translated.write_translator(tmp_path / "model")
    manifest = translated.write_corpus(tmp_path / "corpus", 4, without=(1,))
    arguments = ("evaluate", "translation", model, manifest, "--target", "de", "--beam", 1)
    outcome = run_command(*arguments, "--out", tmp_path / "one.json")
    assert outcome.code == 0
    assert outcome.err == "1 clips have no translation into de and are left out\n"
    result = load_translations(tmp_path / "one.json")
    assert [each.id for each in result.utterances] == ["clip-000", "clip-002", "clip-003"]
    assert [each.reference for each in result.utterances] == [translated.TRANSLATIONS[place] for place in (0, 2, 3)]
    for score in result.scores:
        assert f"{score.metric:<12} {score.value:.1f}" in outcome.out and score.signature in outcome.out
    again = run_command(*arguments, "--against", tmp_path / "one.json")
    assert again.code == 0 and again.out.startswith(outcome.out)
    assert again.out.count("difference +0.0, p = 1.000") == len(result.scores)
    before = fingerprints(tmp_path)
    out = ("--out", tmp_path / "two.json")
    assert_refused(run_command(*arguments[:5], "xx", *out), "no clip has a translation", "Known are: de, fr")
    assert_refused(run_command(*arguments, *out, "--against", manifest), "translations cannot be read")
    other = translated.write_corpus(tmp_path / "other", 2)
    before |= {name: mark for name, mark in fingerprints(tmp_path).items() if name.startswith("other")}
    refused = run_command(*arguments[:3], other, *arguments[4:], *out, "--against", tmp_path / "one.json")
    assert_refused(refused, "same clips")
    assert fingerprints(tmp_path) == before


def test_recognition_is_the_usual_verb(workplace: Path):
    manifest = workplace / "corpus" / "clip.jsonl.gz"
    usual, named = (
        run_command("evaluate", *verb, workplace / "model", manifest).out.rpartition("decoded")[0]
        for verb in ((), ("recognition",))
    )
    assert usual == named and "word error rate" in usual
    first = run_command("evaluate", "--decoder", "ctc", workplace / "model", manifest)
    assert first.out.rpartition("decoded")[0] == usual
    assert "translation" in run_command("evaluate", "--help").out
