"""The benchmarks on a tiny model: both sides compute the same, and figures and table come out. No time is judged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from benchmarks.decoding import DecodingRow, Work, generate_rows, loop_rows
from benchmarks.machine import measure_ceilings
from benchmarks.peer import SIZES, OurEncoder, PeerEncoder, build_both
from benchmarks.steps import step_rows
from benchmarks.table import page
from benchmarks.timing import Ratio, Timing, interleave

from benchmarks import __main__ as command

ROOT = Path(__file__).parents[2]
QUICK = ("--size", "tiny", "--rounds", "2", "--shorten", "0.05", "--threads", "1", "--ceiling-size", "64")


def test_rounds_are_interleaved_after_a_warm_up():
    calls: list[str] = []
    times = interleave({name: (lambda name=name: calls.append(name)) for name in "ab"}, 3)
    assert "".join(calls) == "ab" + "ababab"
    assert {name: len(timing.seconds) for name, timing in times.items()} == {"a": 3, "b": 3}


def test_what_is_warm_is_not_warmed_up():
    calls: list[str] = []
    interleave({name: (lambda name=name: calls.append(name)) for name in "ab"}, 2, warm_up=False)
    assert "".join(calls) == "abab"


def test_a_ratio_tells_medians_and_single_rounds():
    ratio = Ratio.between(Timing((2.0, 3.0, 10.0)), Timing((1.0, 2.0, 2.0)))
    assert (ratio.of_medians, ratio.lowest, ratio.highest) == (1.5, 1.5, 5.0)
    assert Timing((3.0, 1.0, 2.0)).summary() == {"min": 1.0, "median": 2.0, "max": 3.0}


def test_ceilings_are_rates():
    ceilings = measure_ceilings(size=64, repeats=1)
    assert ceilings.float32 > 0 and ceilings.copy > 0 and ceilings.read > 0


def test_both_sides_have_the_same_weights():
    peer, ours = build_both(SIZES["tiny"])
    waveforms = 0.1 * torch.randn(2, 4000)
    with torch.inference_mode():
        states = [side.eval()(waveforms) for side in (PeerEncoder(peer), OurEncoder(ours))]
    torch.testing.assert_close(states[1], states[0], rtol=1e-4, atol=1e-4)


def test_a_different_peer_is_not_timed():
    peer, ours = build_both(SIZES["tiny"])
    with torch.no_grad():
        ours.text_head.weight.copy_(ours.text_head.weight.flip(0))
    with pytest.raises(RuntimeError, match="different greedy transcripts"):
        generate_rows(peer, ours, Work(1, 0.3, 5, beam=2), {"float32": 2.0}, rounds=1)


def test_both_sides_decode_the_same_number_of_tokens():
    peer, ours = build_both(SIZES["tiny"])
    (row,) = generate_rows(peer, ours, Work(2, 0.3, 5, beam=2), {"float32": 2.0}, rounds=1)
    assert (row.task, row.agreement) == ("2 x 0.3 s, beam 2, 5 tokens", "4 of 4 hypotheses")
    (row,) = loop_rows(ours, Work(2, 0.3, 4, beam=2), ["float32"], rounds=1)
    assert (row.task, row.agreement) == ("joint, 2 x 0.3 s, beam 2, 4 tokens", "2 of 2 transcripts")


def test_bytes_of_a_step_are_weights_and_states():
    _, ours = build_both(SIZES["tiny"])
    rows = {(row.utterances, row.beam): row for row in step_rows(ours, ["float32"], steps=2, frames=7)}
    # One layer of width 32 and inner width 48: four products of the past, two of the memory, two inside; 81 symbols.
    assert rows[1, 1].weights == 4 * (6 * 32 * 32 + 2 * 32 * 48 + 81 * 32)
    assert rows[1, 5].states == 2 * 4 * 32 * (7 + 1)
    assert rows[16, 5].states == 16 * rows[1, 5].states


def test_decoding_alone_keeps_the_other_rows(measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = json.loads((measured / "figures.json").read_text("utf-8"))
    (tmp_path / "figures.json").write_text(json.dumps(before), "utf-8")
    row = DecodingRow("a task", "float32", 2.0, Timing((1.0,)), {"float32": Timing((3.0,))}, "all").to_json()
    changed = {**before["decoding"], "generate": [row]}
    monkeypatch.setattr(command, "_decoding", lambda *_: changed)
    monkeypatch.setattr(command, "keep_freed_memory", lambda: None)
    places = ["--results", str(tmp_path / "figures.json"), "--page", str(tmp_path / "page.md")]
    command.main(["--only-decoding", "--ceiling-size", "64", "--threads", str(torch.get_num_threads()), *places])
    assert json.loads((tmp_path / "figures.json").read_text("utf-8")) == {**before, "decoding": changed}
    assert "| a task | float32 | 1000 | 3000 | 3.00x (3.00 to 3.00) | 2.0x, reached | all |" in (
        tmp_path / "page.md"
    ).read_text("utf-8")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command writes, in a process without shape checks."""
    folder = tmp_path_factory.mktemp("benchmarks")
    places = (
        "--results",
        folder / "figures.json",
        "--page",
        folder / "page.md",
        "--manifest",
        folder / "none.jsonl.gz",
    )
    words = [str(word) for word in (sys.executable, "-m", "benchmarks", *QUICK, *places)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_figures_are_written_whole(measured: Path):
    results = json.loads((measured / "figures.json").read_text("utf-8"))
    tasks = [(row["task"], row["precision"]) for row in results["rows"]]
    assert len(set(tasks)) == len(tasks)
    assert {precision for _, precision in tasks} >= {"float32"}
    assert results["loader"] is None
    for row in results["rows"]:
        assert 0 < row["ours"]["min"] <= row["ours"]["median"] <= row["ours"]["max"]
        ratio = row["ratios"]["float32"]
        assert ratio["of_medians"] == pytest.approx(row["peer"]["float32"]["median"] / row["ours"]["median"])
        assert row["precision"] != "float32" or row["difference"] < 1e-4
        assert row["flops"] > 0


def test_the_page_is_made_of_the_figures(measured: Path):
    results = json.loads((measured / "figures.json").read_text("utf-8"))
    text = (measured / "page.md").read_text("utf-8")
    assert text == page(results, "figures")
    for row in results["rows"]:
        assert f"| {row['task']} | {row['precision']} |" in text
        assert f"{row['ratios']['float32']['of_medians']:.2f}x" in text
    assert "Not measured: the corpus is not there." in text
    for row in results["decoding"]["generate"] + results["decoding"]["loop"]:
        assert f"| {row['task']} | {row['precision']} |" in text
        assert row["agreement"] in text
    assert {(row["utterances"], row["beam"]) for row in results["decoding"]["steps"]} == {(1, 1), (1, 5), (16, 5)}
