"""Our language model gives the numbers that the original one gave."""

import pytest
from safetensors.torch import load_file

from parity.harness import GOLDEN, Case, assert_close
from sprachbund.models.language_model.keys import config_from_original, to_original, to_ours
from sprachbund.models.language_model.model import TransformerLanguageModel


def cases() -> list[Case]:
    """Those that come with a language model, of every family."""
    found = [Case(path.parent) for path in sorted(GOLDEN.glob("*/*/meta.json"))]
    return [case for case in found if "lm_state" in case.meta]


def build(case: Case) -> TransformerLanguageModel:
    """With the weights of the case: every one of them, and no other."""
    weights = load_file(case.folder / case.meta["lm_state"])
    config = config_from_original(case.meta["lm_config"], weights)
    model = TransformerLanguageModel(config)
    ours, unused = to_ours(weights, config)
    assert all(name.endswith(("version", "_float_tensor")) for name in unused), unused
    model.load_state_dict(ours)
    back = to_original(model.state_dict())
    assert back.keys() == weights.keys() - set(unused)
    assert all((back[name] == weights[name]).all() for name in back)
    return model.eval()


def name_of(case: Case) -> str:
    return str(case.folder.relative_to(GOLDEN))


@pytest.mark.parametrize("case", cases(), ids=name_of)
def test_numbers_of_the_original(case: Case) -> None:
    model = build(case)
    if "out.lm_logits" not in case:
        pytest.skip(f"of the language model of '{case.folder.name}' only the weights are there")
    tokens = case["in.lm_tokens"]
    assert_close(model.predict_next(tokens), case["out.lm_logits"], "lm_logits", tokens != 1)
