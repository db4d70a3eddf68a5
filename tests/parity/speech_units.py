"""Builds our SpeechLM and SpeechUT with the weights of a case."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from parity.harness import PADDING, Case, lengths_of
from sprachbund.models.encoded import Encoded
from sprachbund.models.speech_units.model import SpeechUnitModel
from sprachbund.models.speechlm import keys as speechlm_keys
from sprachbund.models.speechlm.model import SpeechLM
from sprachbund.models.speechut import keys as speechut_keys
from sprachbund.models.speechut.model import SpeechUT


def build_speechut(case: Case) -> SpeechUT:
    """Our model with the case's weights, in the case's mode."""
    state, weights = case.state, weights_of(case)
    config = speechut_keys.config_from_original(
        state["config"], len(state["text_dictionary"]), len(state["unit_dictionary"])
    )
    # The released head has dropout whatever the configuration says; the cases were made without.
    model = SpeechUT(replace(config, ctc_dropout=0.0))
    load_weights(model, speechut_keys.to_ours(weights, config))
    return model.train(case.trains)


def build_speechlm(case: Case) -> SpeechLM:
    """Our model with the case's weights, in the case's mode."""
    state, weights = case.state, weights_of(case)
    sizes = [len(dictionary) for dictionary in state["unit_dictionaries"]]
    config = speechlm_keys.config_from_original(
        state["config"], len(state["text_dictionary"]), sizes[0], num_top_units=sizes[1] if len(sizes) > 1 else None
    )
    model = SpeechLM(replace(config, ctc_dropout=0.0))
    load_weights(model, speechlm_keys.to_ours(weights, config))
    return model.train(case.trains)


def weights_of(case: Case) -> dict[str, Tensor]:
    return load_file(case.folder / case.meta.get("state", "../state.safetensors"))


def load_weights(model: SpeechUnitModel, ours: Mapping[str, Tensor]) -> None:
    """Everything must be there, and nothing more."""
    model.load_state_dict(dict(ours), strict=True)


def unit_lengths_of(units: Tensor) -> Tensor:
    return (units != PADDING).sum(dim=1)


def speech_of(case: Case) -> tuple[Tensor, Tensor]:
    """Waveforms and their lengths."""
    return case["in.source"], lengths_of(case["in.padding_mask"])


def frame_units(case: Case, name: str, num_frames: int) -> Tensor:
    """Labels once a frame, one for each of the first frames."""
    return case[name][:, :num_frames]


def judge(model: SpeechUnitModel, states: Tensor, chosen: Tensor, *, top: bool) -> Any:
    """Logits of the chosen positions, row by row."""
    return (model.top_unit_logits if top else model.unit_logits)(states[chosen])


def decode_one_by_one(model: SpeechUnitModel, tokens: Tensor, memory: Encoded) -> Tensor:
    """Logits of the decoder, fed with one token after the other."""
    cache = model.start_cache(memory)
    steps = [model.decode_text(tokens[:, [place]], memory, cache=cache) for place in range(tokens.shape[1])]
    return torch.cat(steps, dim=1)
