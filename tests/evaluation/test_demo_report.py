import json
from dataclasses import replace

import numpy as np
import pytest

from sprachbund.errors import DataError
from sprachbund.evaluation.demo_report import (
    CorpusShare,
    DemoFindings,
    OverfitResult,
    SystemResult,
    compose_report,
)
from sprachbund.evaluation.error_rates import commonest_line_baseline
from sprachbund.evaluation.evaluate import evaluate
from sprachbund.evaluation.plots import plot_attention
from sprachbund.evaluation.report import Clip, Finding, KeyFigures, NamedHypothesis, Picture, Table, render_report

REFERENCES = [(f"clip{number}", f"this is number {number * 7919 % 1000}") for number in range(40)]


def evaluation(num_wrong, references=REFERENCES, blank_rate=0.8):
    heard = [(key, text, "zz" if place < num_wrong else text) for place, (key, text) in enumerate(references)]
    return evaluate(heard, blank_rate=blank_rate, seconds=100.0)


def system(name, num_wrong, decoding="greedy CTC", test_set="steel-sky test", **figures):
    return SystemResult(name, decoding, test_set, evaluation(num_wrong, **figures))


@pytest.fixture
def findings(tmp_path):
    def write(name, figure):
        path = tmp_path / name
        records = [{"step": step, "split": "train", "loss": 5 - step / 10, figure: 0.1 * step} for step in range(5)]
        path.write_text("\n".join(json.dumps(record) for record in records))
        return path

    baseline = commonest_line_baseline(["what"], [text for _, text in REFERENCES])
    return DemoFindings(
        recipe="tiny",
        hardware="2 CPU cores",
        stage_seconds={"prepare": 60.0, "pre-train": 4000.0, "fine-tune": 30.4},
        speech_minutes=250.0,
        corpora=(CorpusShare("steel sky", "training", 240.0, 3000), CorpusShare("texts", "text", 0.0, 500)),
        systems=(
            system("pre-trained", 4),
            system("from scratch", 30),
            system("pre-trained", 19, test_set="asterisk test"),
            system("from scratch", 19, test_set="asterisk test"),
        ),
        baselines={"steel-sky test": baseline},
        pretraining_log=write("pretrain.jsonl", "masked_accuracy"),
        pretrained_log=write("pretrained.jsonl", "cer"),
        scratch_log=write("scratch.jsonl", "cer"),
        overfit=OverfitResult(steps=200, cer=0.0, num_clips=4),
        attention_png=plot_attention(np.full((2, 5), 0.2), ["a", "b"]),
        clips=(Clip("clip0", b"fLaC", "what", (NamedHypothesis("pre-trained", "hat"),)),),
        facts={"seed": "1"},
    )


def blocks(report, kind):
    return [block for section in report.sections for block in section.blocks if isinstance(block, kind)]


def text_of(report):
    return render_report(report).decode()


def test_findings_follow_the_figures(findings):
    found = blocks(compose_report(findings), Finding)
    assert [finding.verdict for finding in found] == ["holds"] * 3 + ["fails", "holds"] + ["open"] * 3
    assert "learns it by heart" in found[0].text
    assert "beats the trivial baseline, intervals apart" in found[1].text
    assert "30 of 40 answers" in found[3].text
    assert "Pre-trained makes fewer errors" in found[4].text
    assert found[5].text.startswith("asterisk test") and "No difference shown" in found[5].text
    assert "no trivial baseline was measured" in found[6].text


def test_worse_figures_turn_the_sentences(findings):
    worse = replace(
        findings,
        systems=(system("pre-trained", 40, blank_rate=1.0), system("from scratch", 10)),
        overfit=OverfitResult(steps=200, cer=0.5, num_clips=4),
    )
    found = blocks(compose_report(worse), Finding)
    assert [finding.verdict for finding in found] == ["fails", "fails", "fails", "holds", "fails"]
    assert "collapsed to silence" in found[2].text
    assert "makes more errors than from scratch" in found[4].text


def test_the_best_of_several_is_said_to_be_chosen(findings):
    (figures,) = blocks(compose_report(findings), KeyFigures)
    assert figures.figures[0].note == "lowest of 2 systems: pre-trained, greedy CTC"
    assert [figure.value for figure in figures.figures][3:] == ["250 min", "68 min"]


def test_tables_hold_every_system_and_the_baseline(findings):
    tables = {table.caption: table for table in blocks(compose_report(findings), Table)}
    rates = tables["steel-sky test: 40 clips, 1.7 minutes"]
    assert [row[0] for row in rates.rows] == ["always “what”", "pre-trained, greedy CTC", "from scratch, greedy CTC"]
    assert rates.rows[1][3:] == ("36", "37", "80.0 %")
    assert "95 %" not in rates.rows[1][1] and " to " in rates.rows[1][1]
    assert ("texts", "text", "-", "500") in tables["Data"].rows
    assert ("seed", "1") in tables["Settings"].rows
    assert tables["Time"].rows == (("prepare", "60 s"), ("pre-train", "67 min"), ("fine-tune", "30 s"))


def test_pictures_tell_their_figures_in_words(findings):
    pictures = blocks(compose_report(findings), Picture)
    assert len(pictures) == 3
    assert "loss (pre-training, train) from 5 to 4.6" in pictures[0].alt
    assert "cer (from scratch, train) from 0 to 0.4" in pictures[1].alt


def test_the_limits_are_named_with_their_numbers(findings):
    page = text_of(compose_report(findings))
    assert "250 minutes of speech" in page and "trained once" in page and "6 comparisons" in page
    assert "960 hours" not in text_of(compose_report(replace(findings, speech_minutes=60_000.0)))


def test_what_was_not_done_is_said(findings):
    empty = DemoFindings(recipe="tiny", hardware="none", stage_seconds={}, speech_minutes=0.0, corpora=(), systems=())
    page = text_of(compose_report(empty))
    for sentence in ("Nothing was evaluated", "No run log", "No picture", "No clip", "No single batch"):
        assert sentence in page
    assert "Shown" not in page
    one = replace(findings, systems=findings.systems[:1])
    assert "not both measured" in text_of(compose_report(one))


def test_a_broken_log_and_different_clips_are_errors(findings, tmp_path):
    with pytest.raises(DataError, match="run log"):
        compose_report(replace(findings, scratch_log=tmp_path / "none.jsonl"))
    other = system("from scratch", 3, references=REFERENCES[:20])
    with pytest.raises(DataError, match="same clips"):
        compose_report(replace(findings, systems=(findings.systems[0], other)))


def test_same_findings_same_page(findings):
    assert render_report(compose_report(findings)) == render_report(compose_report(findings))
