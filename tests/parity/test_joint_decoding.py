"""Our search, under the originals' rules by name, gives the hypotheses and scores that the originals gave."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from parity.harness import Case, build_speecht5, case_names, open_case
from parity.speech_units import build_speechut
from parity.test_language_model import build as build_language_model
from sprachbund.decoding.language.neural import NeuralScorer
from sprachbund.decoding.language.symbol_map import SymbolMap
from sprachbund.decoding.search.ctc_prefix import CtcOutput, CtcPrefixScorer
from sprachbund.decoding.search.joint import decode_joint
from sprachbund.decoding.search.roles import BeamConfig, Weighted

BOS, PAD, EOS = 0, 1, 2


def searches(family: str) -> Iterator[Any]:
    """Every search of every case of a family, by name."""
    for name in case_names(family):
        for setting, choices in open_case(family, name).meta.get("settings", {}).items():
            if "ctc_weight" in choices:
                yield pytest.param(name, setting, id=f"{name}-{setting}")


def symbols_of(case: Case) -> list[str]:
    """The recogniser's dictionary; a case that does not say where its configuration is has it one folder up."""
    return list(case.state["text_dictionary"])


def language_model(case: Case, weight: float) -> Weighted:
    """The language model as the originals add it: by symbol where it has symbols of its own, else by place."""
    model, symbols = build_language_model(case), symbols_of(case)
    own = case.meta.get("lm_symbols")
    if own is None:
        places = SymbolMap.by_place(len(symbols), model.config.vocab_size)
    else:
        # What is said of columns after the model's size is thrown away, whatever symbol they stand for.
        places = SymbolMap(
            [own.index(symbol) if symbol in own and place < len(own) else -1 for place, symbol in enumerate(symbols)]
        )
    return Weighted("lm", NeuralScorer(model, places, 1), weight)


def config_of(case: Case, choices: dict[str, Any], num_samples: int, **rules: Any) -> BeamConfig:
    """Our configuration of an original search; what a case does not set stands in its title, or in its results."""
    shapes = [value.shape for name, value in case.tensors.items() if re.fullmatch(r"out\..*_tokens_.*", name)]
    beam, most = (
        int(found.group(1)) if (found := re.search(rf"{word} (\d+)", case.meta["original"])) else seen
        # As many hypotheses as wanted; the longest one, but for its end, is as long as may be where one does not end.
        for word, seen in (("beam", max(rows for rows, _ in shapes)), ("max_len_b", max(n for _, n in shapes) - 1))
    )
    beam = min(choices.get("beam_size", beam), len(symbols_of(case)) - 1)
    return BeamConfig(
        beam=beam,
        num_best=beam,
        max_tokens=int(choices.get("max_len_a", 0) * num_samples + choices.get("max_len_b", most)),
        max_tokens_per_frame=1e6,
        min_tokens=choices.get("min_len", 1),
        length_penalty=choices.get("len_penalty", 1.0) if choices.get("normalize_scores", True) else 0.0,
        ending="fairseq",
        **rules,
    )


def compare(case: Case, setting: str, source: str, found: list[Any]) -> None:
    """Tokens are the same; scores agree to 1e-4 of the largest."""
    tokens, scores = case[f"out.{setting}_tokens_{source}"], case[f"out.{setting}_scores_{source}"]
    expected = [[token for token in row if token != PAD] for row in tokens.tolist()]
    assert [[*hypothesis.tokens, EOS] for hypothesis in found] == expected
    assert [hypothesis.score for hypothesis in found] == pytest.approx(scores.tolist(), rel=1e-4, abs=1e-4)
    if f"out.{setting}_positional_{source}" in case:
        sums = [
            sum(row[: len(ids)])
            for row, ids in zip(case[f"out.{setting}_positional_{source}"].tolist(), expected, strict=True)
        ]
        assert [hypothesis.log_probability for hypothesis in found] == pytest.approx(sums, rel=1e-4, abs=1e-4)


def sources_of(case: Case) -> list[str]:
    found = sorted(name.removeprefix("in.source_") for name in case.tensors if name.startswith("in.source_"))
    assert found
    return found


@pytest.mark.parametrize(("name", "setting"), list(searches("speecht5")))
@torch.no_grad()
def test_the_search_of_speecht5(name: str, setting: str) -> None:
    case = open_case("speecht5", name)
    model, choices, symbols = build_speecht5(case).eval(), case.meta["settings"][setting], symbols_of(case)
    blank = symbols.index("<ctc_blank>")
    masks = tuple(place for place, symbol in enumerate(symbols) if re.fullmatch(r"<mask>\d*", symbol))
    for source in sources_of(case):
        waveform = case[f"in.source_{source}"]
        config = config_of(
            case,
            choices,
            waveform.shape[1],
            forbidden=(PAD, *masks, blank),
            candidates="speecht5",
            masks=masks,
        )
        memory = model.encode_speech(waveform, torch.tensor([waveform.shape[1]]))
        extra = [language_model(case, choices["lm_weight"])] if choices.get("lm_weight") else []
        (found,) = decode_joint(
            model,
            memory,
            config,
            ctc=CtcOutput(model.ctc_logits(memory), memory.lengths, blank),
            ctc_weight=choices["ctc_weight"],
            extra=extra,
        )
        compare(case, setting, source, found)


@pytest.mark.parametrize(("name", "setting"), list(searches("speechut")))
@torch.no_grad()
def test_the_search_of_speechut(name: str, setting: str) -> None:
    case = open_case("speechut", name)
    model, choices = build_speechut(case).eval(), case.meta["settings"][setting]
    for source in sources_of(case):
        waveform = case[f"in.source_{source}"]
        config = config_of(case, choices, waveform.shape[1], forbidden=(BOS, PAD), candidates="speechut")
        memory = model.encode_speech(waveform, torch.tensor([waveform.shape[1]]))
        # Its CTC head has one frame more than the encoder, and an utterance alone is decoded with all of them.
        logits = model.ctc_logits(memory)
        extra = [language_model(case, choices["lm_weight"])] if choices.get("lm_weight") else []
        (found,) = decode_joint(
            model,
            memory,
            config,
            ctc=CtcOutput(logits, torch.tensor([logits.shape[1]]), BOS),
            ctc_weight=choices["ctc_weight"],
            extra=extra,
        )
        compare(case, setting, source, found)


def prefix_cases() -> list[str]:
    return [name for name in case_names("speecht5") if "in.prefix_candidates" in open_case("speecht5", name)]


@pytest.mark.parametrize("name", prefix_cases())
def test_prefix_probabilities(name: str) -> None:
    case = open_case("speecht5", name)
    log_probs, candidates = case["out.ctc_log_probs_0"][None], case["in.prefix_candidates"]
    named = case.under("out.prefix_scores_after_")
    assert named
    for title, expected in named.items():
        prefix = [] if title == "sos" else [int(token) for token in title.split("_")]
        output = CtcOutput(log_probs, torch.tensor([log_probs.shape[1]]), case.meta["blank"])
        scorer = CtcPrefixScorer(output, eos=EOS)
        scores, total = scorer.score(torch.tensor([EOS])), 0.0
        for token in prefix:
            total += scores[0, token].item()
            scores = scorer.score(torch.tensor([token]))
        ours = (total + scores[0, candidates]).tolist()
        # The original has a large number where a double has minus infinity.
        assert [max(value, -1e10) for value in ours] == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-4)
