import json
import struct
import sys

import numpy as np
import pytest

from sprachbund.errors import DataError
from sprachbund.evaluation.plots import collect_curves, plot_attention, plot_training_curves, read_metrics


def size_of(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


@pytest.fixture
def run_log(tmp_path):
    def write(name="metrics.jsonl", offset=0.0):
        path = tmp_path / name
        records = []
        for step in range(0, 100, 10):
            records.append(
                {"step": step, "split": "train", "loss": 5.0 - step / 50 + offset, "masked_accuracy": step / 100}
            )
            if step % 30 == 0:
                records.append(
                    {"step": step, "split": "valid", "loss": 5.2 + offset, "wer": 0.9, "note": "a", "ok": True}
                )
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    return write


def test_curves_of_a_log(run_log):
    curves = collect_curves({"one": run_log()})
    assert list(curves) == ["loss", "masked_accuracy", "wer"]
    assert [(curve.run, curve.split, len(curve.steps)) for curve in curves["loss"]] == [
        ("one", "train", 10),
        ("one", "valid", 4),
    ]
    assert curves["masked_accuracy"][0].values[3] == pytest.approx(0.3)


def test_values_that_are_no_numbers_are_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 2, "loss": NaN}\n{"step": 1, "loss": 3.0}\n{"loss": 4.0}\n{"step": 3, "loss": null}\n')
    (curve,) = collect_curves({"run": path})["loss"]
    assert (curve.steps, curve.values, curve.split) == ((1,), (3.0,), "train")


def test_a_cut_off_last_line_is_left_out_but_no_other(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 3.0}\n{"step": 2, "lo')
    assert len(read_metrics(path)) == 1
    path.write_text('{"step": 1, "lo\n{"step": 2, "loss": 3.0}\n')
    with pytest.raises(DataError, match="line 1"):
        read_metrics(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_metrics(tmp_path / "none.jsonl")


def test_training_curves_draws_what_is_there(run_log):
    runs = {"pre-trained": run_log("a.jsonl"), "scratch $x_1$": run_log("b.jsonl", offset=1.0)}
    everything = plot_training_curves(runs)
    one = plot_training_curves(runs, figures=["loss", "gradient_norm"])
    assert size_of(everything)[0] > size_of(one)[0] > 300
    assert plot_training_curves(runs) == everything
    with pytest.raises(DataError, match="masked_accuracy"):
        plot_training_curves(runs, figures=["cer"])


def test_attention_picture_fits_its_tokens():
    weights = np.random.default_rng(0).dirichlet(np.ones(50), size=20).astype(np.float32)
    png = plot_attention(weights, ["$", " ", *"abcdefghijklmnopq", "</s>"], title="clip_$7")
    assert size_of(png)[1] > size_of(plot_attention(weights[:2], ["a", "b"]))[1]
    with pytest.raises(DataError, match="19 tokens"):
        plot_attention(weights, ["a"] * 19)
    with pytest.raises(DataError):
        plot_attention(weights[:0], [])


def test_no_global_state_of_pyplot_is_used(run_log):
    was_imported = "matplotlib.pyplot" in sys.modules
    plot_training_curves({"run": run_log()})
    assert ("matplotlib.pyplot" in sys.modules) == was_imported
    assert not was_imported or not sys.modules["matplotlib.pyplot"].get_fignums()
