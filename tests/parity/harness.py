"""Reads a folder of numbers that the original code computed, builds our model from it, and compares.

A value agrees when its largest difference is at most 1e-4 of the largest magnitude of the expected tensor, over valid
positions; a gradient norm when it differs by at most 1e-4 of itself plus 1e-7 of the largest norm of its case.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from sprachbund.checkpoints.key_table import KeyTable
from sprachbund.models.encoded import Encoded
from sprachbund.models.speecht5.keys import config_from_original, key_table
from sprachbund.models.speecht5.model import SpeechT5

PADDING = 1
RELATIVE = 1e-4
GRADIENT_FLOOR = 1e-7

GOLDEN = Path(os.environ.get("SPRACHBUND_GOLDEN", Path(__file__).parents[1] / "golden"))


def case_names(family: str) -> list[str]:
    """The cases present, by folder name."""
    return sorted(path.parent.name for path in (GOLDEN / family).glob("*/meta.json"))


@dataclass(frozen=True)
class Case:
    """One folder: tensors, and the facts that go with them."""

    folder: Path

    @cached_property
    def meta(self) -> dict[str, Any]:
        return json.loads((self.folder / "meta.json").read_text("utf-8"))

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        return load_file(self.folder / "io.safetensors")

    @cached_property
    def state(self) -> dict[str, Any]:
        return json.loads((self.folder / self.meta.get("config_file", "../state.json")).read_text("utf-8"))

    @property
    def trains(self) -> bool:
        return str(self.meta.get("mode", self.meta["original"])).startswith("train")

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def number(self, name: str) -> float:
        return self.tensors[name].item()

    def under(self, prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): value for name, value in self.tensors.items() if name.startswith(prefix)}


def open_case(family: str, name: str) -> Case:
    return Case(GOLDEN / family / name)


def build_speecht5(case: Case) -> SpeechT5:
    """Our model with the case's weights, in the case's mode."""
    state = case.state
    weights = load_file(case.folder / case.meta.get("state", "../state.safetensors"))
    speakers = weights.get("speaker_decoder_postnet.output_projection.weight")
    config = config_from_original(
        state["config"],
        len(state["text_dictionary"]),
        len(state["hubert_dictionary"]) if "hubert_layer.label_embs_concat" in state["keys"] else None,
        num_speakers=None if speakers is None else len(speakers),
    )
    model = SpeechT5(config)
    load_original(model, weights)
    return model.train(case.trains)


def load_original(model: SpeechT5, weights: Mapping[str, Tensor]) -> None:
    """Load weights by their original names; everything must be used, and nothing of the model may be left over."""
    renamed = key_table(model.config).to_ours(weights)
    assert all(name.endswith(("version", "_float_tensor")) for name in renamed.unused), renamed.unused
    result = model.load_state_dict({ours: weights[theirs] for theirs, ours in renamed.names.items()}, strict=False)
    assert not result.unexpected_keys
    own = model.state_dict(keep_vars=True)
    loaded = {id(own[name]) for name in renamed.names.values()}
    missing = [name for name in result.missing_keys if id(own[name]) not in loaded]
    assert not missing, missing


def assert_close(ours: Tensor, theirs: Tensor, name: str, valid: Tensor | None = None) -> None:
    """Compare over `valid` positions (True), which lead the dimensions of both."""
    assert ours.shape == theirs.shape, f"{name}: {tuple(ours.shape)} and {tuple(theirs.shape)}"
    if valid is not None:
        ours, theirs = ours[valid], theirs[valid]
    if not theirs.is_floating_point():
        assert torch.equal(ours.to(theirs.dtype), theirs), name
        return
    finite = theirs.isfinite()
    assert torch.equal(ours.isfinite(), finite), f"{name}: infinities stand elsewhere"
    assert torch.equal(ours[~finite], theirs[~finite]), f"{name}: other infinities"
    ours, theirs = ours[finite].detach().double(), theirs[finite].double()
    if theirs.numel() == 0:
        return
    difference, scale = (ours - theirs).abs().max().item(), theirs.abs().max().item()
    assert difference <= RELATIVE * scale, f"{name}: differs by {difference:.3g} where values reach {scale:.3g}"


def assert_number(ours: Tensor | float, theirs: float, name: str) -> None:
    value = float(ours.detach()) if isinstance(ours, Tensor) else ours
    assert abs(value - theirs) <= RELATIVE * abs(theirs) + 1e-9, f"{name}: {value:.7g} and {theirs:.7g}"


def assert_gradients(model: Any, case: Case, total: Tensor, table: KeyTable | None = None) -> None:
    """Differentiate `total` and compare every gradient norm of the case; `table` is SpeechT5's where it is not said."""
    expected = {name: value.item() for name, value in case.under("grad_norm.").items()}
    if not expected:
        return
    model.zero_grad()
    total.backward()
    own = dict(model.named_parameters(remove_duplicate=False))
    names = (table or key_table(model.config)).to_ours([*expected, *case.meta["grad_none"]])
    assert not names.unused, names.unused
    floor = GRADIENT_FLOOR * max(expected.values())
    wrong = []
    for name, norm in expected.items():
        gradient = own[names.names[name]].grad
        value = 0.0 if gradient is None else gradient.double().norm().item()
        if abs(value - norm) > RELATIVE * norm + floor:
            wrong.append(f"{name}: {value:.7g} and {norm:.7g}")
    present = [name for name in case.meta["grad_none"] if own[names.names[name]].grad is not None]
    assert not wrong, "\n".join(wrong)
    assert not present, f"gradients where there are none: {present}"


def lengths_of(padding_mask: Tensor) -> Tensor:
    return (~padding_mask).sum(dim=1)


def encode(model: SpeechT5, case: Case) -> Encoded:
    """Encode whatever the case holds, waveforms or tokens."""
    if "in.source" in case:
        return model.encode_speech(
            case["in.source"],
            lengths_of(case["in.padding_mask"]),
            time_mask=case.tensors.get("mask.time"),
            channel_mask=case.tensors.get("mask.channel"),
        )
    tokens = case["in.src_tokens"]
    return model.encode_text(tokens, (tokens != PADDING).sum(dim=1))


def record(model: torch.nn.Module, into: dict[str, Tensor], name: str) -> None:
    model.register_forward_hook(lambda module, inputs, output: into.__setitem__(name, output))
