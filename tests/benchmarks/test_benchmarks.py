"""The benchmarks on a tiny model: both sides compute the same, and figures and table come out. No time is judged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from benchmarks.machine import measure_ceilings
from benchmarks.peer import SIZES, OurEncoder, PeerEncoder, build_both
from benchmarks.table import page
from benchmarks.timing import Ratio, Timing, interleave

ROOT = Path(__file__).parents[2]
QUICK = ("--size", "tiny", "--rounds", "2", "--shorten", "0.05", "--threads", "1", "--ceiling-size", "64")


def test_rounds_are_interleaved_after_a_warm_up():
    calls: list[str] = []
    times = interleave({name: (lambda name=name: calls.append(name)) for name in "ab"}, 3)
    assert "".join(calls) == "ab" + "ababab"
    assert {name: len(timing.seconds) for name, timing in times.items()} == {"a": 3, "b": 3}


def test_a_ratio_tells_medians_and_single_rounds():
    ratio = Ratio.between(Timing((2.0, 3.0, 10.0)), Timing((1.0, 2.0, 2.0)))
    assert (ratio.of_medians, ratio.lowest, ratio.highest) == (1.5, 1.5, 5.0)
    assert Timing((3.0, 1.0, 2.0)).summary() == {"min": 1.0, "median": 2.0, "max": 3.0}


def test_ceilings_are_rates():
    ceilings = measure_ceilings(size=64, repeats=1)
    assert ceilings.float32 > 0 and ceilings.copy > 0


def test_both_sides_have_the_same_weights():
    peer, ours = build_both(SIZES["tiny"])
    waveforms = 0.1 * torch.randn(2, 4000)
    with torch.inference_mode():
        states = [side.eval()(waveforms) for side in (PeerEncoder(peer), OurEncoder(ours))]
    torch.testing.assert_close(states[1], states[0], rtol=1e-4, atol=1e-4)


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
