import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tiny
from probing_data import aligned_cuts
from sprachbund.errors import DataError
from sprachbund.evaluation.error_rates import ErrorRate
from sprachbund.evaluation.frozen_features import LayerFeatures, encoder_features, paired_mfcc_features, untrained
from sprachbund.evaluation.probe_data import ProbeTask, label_cuts
from sprachbund.evaluation.probe_report import (
    ClipErrors,
    ProbeReport,
    compare_probes,
    describe_difference,
    load_report,
    probe_encoder,
    save_report,
    summarize,
)
from sprachbund.evaluation.probing import ProbeConfig

CONFIG = ProbeConfig(epochs=2, rate=5e-2, batch_clips=4)


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("speech")
    counts = {"train": 16, "valid": 4, "test": 6}
    return {name: aligned_cuts(folder, count, name=name, seed=count) for name, count in counts.items()}


def probe(cuts, folder: Path, task=ProbeTask.FRAMES, features_of=None, num_seeds=2, config=CONFIG) -> ProbeReport:
    mfcc = paired_mfcc_features()
    sets = {name: label_cuts(of_set, task, name) for name, of_set in cuts.items()}
    return probe_encoder(
        features_of or (lambda _: mfcc), sets, task, folder, encoder="mfcc", num_seeds=num_seeds, config=config
    )


@pytest.fixture(scope="module")
def report(cuts, tmp_path_factory: pytest.TempPathFactory) -> ProbeReport:
    return probe(cuts, tmp_path_factory.mktemp("features"))


def test_figures_are_those_of_all_seeds_together(report: ProbeReport, cuts):
    assert [seed.seed for seed in report.seeds] == [0, 1]
    assert report.rate.rate == pytest.approx(np.mean([seed.test_rate for seed in report.seeds]))
    assert report.rate.errors == sum(clip.errors for clip in report.clips)
    assert report.rate.length == sum(clip.length for clip in report.clips)
    assert report.rate.low <= report.rate.rate <= report.rate.high
    assert [clip.id for clip in report.clips] == [cut.id for cut in cuts["test"]]
    assert {name: facts.clips for name, facts in report.sets.items()} == {"train": 16, "valid": 4, "test": 6}
    assert report.sets["test"].seconds == pytest.approx(sum(cut.duration for cut in cuts["test"]))
    assert (report.classes, report.config) == (3, CONFIG)


def test_tones_are_told_from_mfcc(cuts, tmp_path: Path):
    report = probe(cuts, tmp_path, num_seeds=1, config=replace(CONFIG, epochs=12))
    assert report.rate.rate < 0.3 < report.commonest


def test_the_commonest_class_is_a_measure_for_labels(report: ProbeReport, cuts, tmp_path: Path):
    def phones(name: str) -> list[str]:
        labelled = label_cuts(cuts[name], ProbeTask.FRAMES, name)
        middles = [(320 * frame + 200) / 16_000 for frame in range(200)]
        return [s.symbol for one in labelled.cuts for s in one.spans for middle in middles if s.start <= middle < s.end]

    train, test = phones("train"), phones("test")
    commonest = max(sorted(set(train)), key=train.count)
    assert report.commonest == pytest.approx(1 - test.count(commonest) / len(test), abs=0.03)
    assert probe(cuts, tmp_path, ProbeTask.PHONES, num_seeds=1).commonest is None
    assert probe(cuts, tmp_path, ProbeTask.CHARACTERS, num_seeds=1).commonest == 0.5


def test_the_same_again_gives_the_same(report: ProbeReport, cuts, tmp_path: Path):
    again = probe(cuts, tmp_path)
    timed = {"feature_seconds": 0.0, "training_seconds": 0.0}
    assert replace(again, **timed) == replace(report, **timed)


def test_stored_features_serve_all_seeds_and_tasks(cuts, tmp_path: Path):
    calls: list[int] = []
    plain = paired_mfcc_features()

    def read(waveform):
        calls.append(1)
        return plain.read(waveform)

    counted = LayerFeatures(plain.names, plain.fields, plain.frame_shift, plain.num_channels, read)
    for task in ProbeTask:
        probe(cuts, tmp_path, task, lambda _: counted)
        assert len(calls) == 26


def test_untrained_weights_differ_by_seed(cuts, tmp_path: Path):
    model = tiny.hubert_model()
    report = probe(cuts, tmp_path, features_of=lambda seed: encoder_features(untrained(model, seed)))
    first, second = report.seeds
    assert not set(first.features) & set(second.features)
    assert len(first.layer_weights) == 3
    assert sum(first.layer_weights) == pytest.approx(1, abs=1e-4)
    features = encoder_features(model)
    trained = probe(cuts, tmp_path, features_of=lambda _: features)
    assert trained.seeds[0].features == trained.seeds[1].features


def test_sets_that_overlap_are_refused(cuts, tmp_path: Path):
    for name in ("valid", "test"):
        with pytest.raises(DataError, match=f"1 clips are in the training set and in the set '{name}'"):
            probe({**cuts, name: [*cuts[name], cuts["train"][3]]}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_reports_are_read_as_written(report: ProbeReport, tmp_path: Path):
    save_report(report, tmp_path / "a" / "probe.json")
    assert load_report(tmp_path / "a" / "probe.json") == report
    assert json.loads((tmp_path / "a" / "probe.json").read_text())["task"] == "frames"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff\xfe", b'{"task": "sing"}', b"9" * 5000])
def test_other_files_are_no_reports(tmp_path: Path, content: bytes):
    (tmp_path / "probe.json").write_bytes(content)
    with pytest.raises(DataError, match="no report of a probe"):
        load_report(tmp_path / "probe.json")
    with pytest.raises(DataError, match="cannot be read"):
        load_report(tmp_path / "none.json")


def of_errors(report: ProbeReport, errors: list[int]) -> ProbeReport:
    clips = tuple(ClipErrors(f"c{number}", count, 10) for number, count in enumerate(errors))
    rate = sum(errors) / (10 * len(errors))
    return replace(report, clips=clips, rate=ErrorRate(rate, rate, rate, sum(errors), 10 * len(errors)))


def test_two_probes_are_compared_clip_by_clip(report: ProbeReport):
    better, worse = of_errors(report, [1, 2, 3, 2] * 10), of_errors(report, [2, 3, 4, 3] * 10)
    difference = compare_probes(better, worse)
    assert difference.difference == pytest.approx(-0.1)
    assert difference.is_shown
    assert "-10.0 points (-10.0 to -10.0), shown" in describe_difference(difference, better, worse)
    turned = replace(worse, clips=worse.clips[::-1])
    assert compare_probes(better, turned) == difference
    assert not compare_probes(better, better).is_shown
    assert "not shown" in describe_difference(compare_probes(better, better), better, better)


def test_probes_of_different_kinds_are_not_compared(report: ProbeReport):
    others = [
        replace(report, task=ProbeTask.PHONES),
        replace(report, clips=report.clips[1:]),
        replace(report, clips=tuple(replace(clip, length=2 * clip.length) for clip in report.clips)),
    ]
    for other in others:
        with pytest.raises(DataError, match="only be compared"):
            compare_probes(report, other)


def test_the_table_says_what_was_found(report: ProbeReport):
    facts = replace(report.sets["train"], left_out={"without alignment": 3}, unseen=2)
    text = summarize(replace(report, sets={**report.sets, "train": facts}))
    assert f"frame error rate   {100 * report.rate.rate:.1f} %" in text
    assert "layer mfcc-pairs   100.0 % of the mix" in text
    assert "left out: 3 without alignment; 2 labels not in training" in text
    assert "commonest class" in text
    assert "by seed" in text
    assert "by seed" not in summarize(replace(report, seeds=report.seeds[:1]))
