import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from models.language_model.sizes import build as build_lm
from models.speecht5.sizes import build
from objectives.batches import transcribed_batch
from sprachbund.checkpoints.store import load_model
from sprachbund.config import from_mapping
from sprachbund.errors import RecipeError
from sprachbund.nn.precision import Precision, mixed_precision
from sprachbund.objectives.recognition import Recognition
from sprachbund.training.compute import ComputeConfig, prepare
from sprachbund.training.run import train
from sprachbund.training.speech_recipes import RecognitionRecipe


def objective(**compute: Any) -> Recognition:
    model = build(num_speakers=None)
    prepare(model, ComputeConfig(**compute))
    return Recognition(model.train())


def loss_and_gradients(recognition: Recognition, precision: Precision = "float32") -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    with mixed_precision(torch.device("cpu"), precision):
        loss = recognition(transcribed_batch()).total()
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = {name: one.grad for name, one in recognition.named_parameters() if one.grad is not None}
    return {"loss": loss.detach(), **gradients}


def test_computing_layers_twice_changes_no_bit():
    kept, recomputed = (loss_and_gradients(objective(checkpoint_activations=twice)) for twice in (False, True))
    assert kept.keys() == recomputed.keys()
    assert all(torch.equal(kept[name], recomputed[name]) for name in kept)


def test_layers_of_a_language_model_are_computed_twice_too():
    kept, twice = build_lm().train(), build_lm().train()
    prepare(twice, ComputeConfig(checkpoint_activations=True))
    assert twice.decoder.recomputes
    for model in (kept, twice):
        model.predict_next(torch.tensor([[2, 5, 6]])).square().sum().backward()
    for one, other in zip(kept.parameters(), twice.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)


def saved_bytes(recognition: Recognition) -> int:
    """Bytes of different tensors that a forward pass keeps for the backward pass."""
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    own = {parameter.untyped_storage().data_ptr() for parameter in recognition.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = recognition(transcribed_batch())  # noqa: F841  (what is kept must live until it is counted)
        return sum(size for place, size in kept.items() if place not in own)


def test_computing_layers_twice_keeps_less():
    # Two small layers behind a front-end: most of what is kept is not theirs.
    assert saved_bytes(objective(checkpoint_activations=True)) < 0.85 * saved_bytes(objective())


def test_bf16_is_near_float32_and_leaves_weights_single():
    single, mixed = loss_and_gradients(objective()), loss_and_gradients(objective(precision="bf16"), "bf16")
    torch.testing.assert_close(mixed["loss"], single["loss"], rtol=0.02, atol=0)
    assert {value.dtype for value in mixed.values()} == {torch.float32}
    # Other numbers are drawn for nothing: dropout is the same, and so the direction of the gradient.
    left, right = (torch.cat([one[name].flatten() for name in sorted(single)]) for one in (single, mixed))
    assert torch.cosine_similarity(left, right, dim=0) > 0.99


def recipe(folder: Path, **compute: Any) -> RecognitionRecipe:
    plain = {**tiny.recognition_recipe(folder, steps=12, validate_every=12), "compute": compute}
    return from_mapping(RecognitionRecipe, plain, "test")


def losses(folder: Path, split: str) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [line["loss"] for line in lines if line["split"] == split]


def test_a_run_in_bf16_goes_the_way_of_one_in_float32(tmp_path: Path):
    runs = {}
    for precision in ("float32", "bf16"):
        train(recipe(tmp_path / precision, precision=precision), tmp_path / precision / "run")
        runs[precision] = [loss for split in ("train", "valid") for loss in losses(tmp_path / precision / "run", split)]
    assert runs["bf16"] == pytest.approx(runs["float32"], rel=0.05)
    assert runs["bf16"] != runs["float32"]
    weights = load_model(tmp_path / "bf16" / "run" / "model").weights
    assert {weight.dtype for weight in weights.values() if weight.is_floating_point()} == {torch.float32}


def test_checkpointed_activations_train_the_same_weights(tmp_path: Path):
    for twice in (False, True):
        train(recipe(tmp_path / str(twice), checkpoint_activations=twice), tmp_path / str(twice) / "run")
    first, second = (load_model(tmp_path / str(twice) / "run" / "model").weights for twice in (False, True))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_without_a_compiler_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(RecipeError, match=r"no C\+\+ compiler is found.*Install g\+\+"):
        objective(compile=True)


# Without the import hook, whose checks cannot be compiled.
COMPILED = """
import sys
sys.path.insert(0, {tests!r})
import torch
from torch._dynamo.utils import counters
import tiny
from sprachbund.training.compute import ComputeConfig, prepare

torch.manual_seed(0)
plain = tiny.tiny_model(0)
compiled = tiny.tiny_model(0)
prepare(compiled, ComputeConfig(compile=True))
assert list(compiled.state_dict()) == list(plain.state_dict())
for rows, length in ((2, 4000), (3, 5300), (1, 2900), (4, 7100), (2, 9000)):
    waveforms, lengths = torch.randn(rows, length), torch.full((rows,), length)
    lengths[0] -= 700
    losses, target = [], None
    for model in (plain, compiled):
        model.zero_grad()
        states = model.encode_speech(waveforms, lengths).states
        losses.append(states)
        target = torch.randn_like(states) if target is None else target
        (states * target).sum().backward()
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-4, atol=1e-4)
    for (name, one), two in zip(plain.named_parameters(), compiled.parameters()):
        assert (one.grad is None) == (two.grad is None), name
        if one.grad is not None:
            torch.testing.assert_close(two.grad, one.grad, rtol=1e-3, atol=1e-4 * float(one.grad.abs().max()) + 1e-6)
print("graphs", counters["stats"]["unique_graphs"], "breaks", sum(counters["graph_break"].values()))
"""


@pytest.mark.slow
def test_compiled_layers_give_the_states_and_gradients_of_plain_ones(tmp_path: Path):
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(  # a process of its own
        [sys.executable, "-c", COMPILED.format(tests=tests)], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    _, graphs, _, breaks = done.stdout.split()
    assert int(breaks) == 0
    assert int(graphs) <= 4  # not one for every length
