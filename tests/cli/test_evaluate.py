from pathlib import Path
from typing import Any

import pytest

import tiny
from commands import assert_refused, fingerprints, run_command
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.decoding.recognition.config import DecodingConfig
from sprachbund.evaluation.decoded import DecodedManifest
from sprachbund.evaluation.evaluate import load_evaluation
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
