import json
from pathlib import Path

import pytest

import recognizers
import tiny
from commands import assert_refused, fingerprints, run_command
from sprachbund.serving.settings import read_settings


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuning")
    recognizers.write_recognizer(folder / "model")
    recognizers.write_language_model(folder / "lm")
    tiny.write_corpus(folder / "corpus", 4, name="dev")
    tiny.write_corpus(folder / "corpus", 2, name="test")
    return folder


def test_settings_are_tuned_told_and_used(workplace: Path, tmp_path: Path):
    dev, test = (workplace / "corpus" / f"{name}.jsonl.gz" for name in ("dev", "test"))
    options = ("--decoder", "joint", "--beam", 2, "--lm", workplace / "lm", "--metric", "cer", "--trials", 4)
    out = tmp_path / "deep" / "decoding.json"
    outcome = run_command(
        "tune-decoding", workplace / "model", dev, *options, "--test", test, "--out", out, "--max-clips", 2
    )
    assert outcome.code == 0, outcome.err
    assert outcome.err.startswith("tuning on 2 of 4 clips\n")
    assert outcome.err.count("CER") == 4
    for word in (
        f"{dev}, which it was tuned on:",
        f"{test}:",
        "before tuning",
        "after tuning",
        f"best one is in {out}",
    ):
        assert word in outcome.out
    report = json.loads(out.read_text())
    assert report["data"][str(dev)]["after"]["clips"] == 2
    assert report["data"][str(test)]["after"]["clips"] == 2
    rates = [trial["cer"] for trial in report["trials"]]
    assert report["data"][str(dev)]["before"]["cer"]["rate"] == rates[0]
    assert report["data"][str(dev)]["after"]["cer"]["rate"] == min(rates)
    config = read_settings(out)
    assert (config.method, config.beam) == ("joint", 2)
    evaluated = run_command("evaluate", workplace / "model", test, "--settings", out)
    rate = report["data"][str(test)]["after"]["cer"]["rate"]
    assert f"character error    {100 * rate:.1f} %" in evaluated.out


def test_nothing_is_written_where_it_cannot_be_done(workplace: Path, tmp_path: Path):
    model, dev = workplace / "model", workplace / "corpus" / "dev.jsonl.gz"
    before = fingerprints(tmp_path)
    out = ("--out", tmp_path / "decoding.json")
    joint = ("--decoder", "joint")
    assert_refused(run_command("tune-decoding", model, dev, *out, "--decoder", "best"), "no such decoder")
    assert_refused(run_command("tune-decoding", model, dev, *out, *joint, "--metric", "mos"), "no such metric")
    assert_refused(run_command("tune-decoding", model, tmp_path / "none.jsonl", *out, *joint), "does not exist")
    missing = run_command("tune-decoding", model, dev, *out, *joint, "--lm", tmp_path / "none")
    assert_refused(missing, "there is no language model")
    outcome = run_command("tune-decoding", model, dev, *out)
    assert outcome.code == 2 and "nothing to tune" in outcome.err
    assert fingerprints(tmp_path) == before
