"""From encoded recordings to hypotheses, by the method that the configuration names."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from sprachbund.decoding.ctc.beam import CtcBeamConfig, ctc_prefix_beam
from sprachbund.decoding.ctc.confidence import ctc_confidences
from sprachbund.decoding.ctc.greedy import greedy_ctc
from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.language.automata import Automaton
from sprachbund.decoding.language.models import LanguageModel
from sprachbund.decoding.language.weighted_automata import WeightedAutomata
from sprachbund.decoding.recognition.config import DecodingConfig
from sprachbund.decoding.recognition.encoding import EncodedRecordings
from sprachbund.decoding.search.ctc_prefix import CtcOutput
from sprachbund.decoding.search.joint import decode_joint
from sprachbund.decoding.search.roles import BeamConfig, Weighted
from sprachbund.errors import RecipeError
from sprachbund.lengths import samples_per_frame
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.models.text_decoding import TextDecoding
from sprachbund.nn.precision import mixed_precision
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.vocabulary import EOS


@dataclass(frozen=True)
class Symbols:
    """The ids that a search treats in their own way."""

    blank: int | None  # None without a CTC head
    silent: frozenset[int]  # specials that are no text and never said; the end of the sentence is none of them


@dataclass(frozen=True)
class Fused:
    """A language model in a search, and its weight."""

    model: LanguageModel
    weight: float


def search_transcripts(
    model: SpeechEncoder,
    encoded: EncodedRecordings,
    config: DecodingConfig,
    symbols: Symbols,
    fused: Sequence[Fused] = (),
) -> list[list[Hypothesis]]:
    """The best transcripts of every recording, best first, at least one each.

    Args:
        model: whose text decoder takes part where the method has it.
        encoded: by that model.
        config: the choices of the search.
        symbols: of the tokenizer.
        fused: the language models and the lexicon of `config`; a weight of 0 leaves one out.

    Raises:
        RecipeError: the method cannot use one of the language models.
    """
    lengths, forbidden = encoded.memory.lengths, symbols.silent | {EOS}
    fused = [each for each in fused if each.weight > 0]
    ctc = ctc_of(encoded, symbols)
    if config.method == "ctc":
        assert ctc is not None, "checked before"
        greedy = greedy_ctc(ctc.logits, lengths, blank=ctc.blank, forbidden=forbidden)
        return [[hypothesis] for hypothesis in greedy]
    if config.method == "ctc-beam":
        assert ctc is not None, "checked before"
        automaton, weight = automaton_of(fused)
        return ctc_prefix_beam(
            ctc.logits,
            lengths,
            blank=ctc.blank,
            config=_ctc_config(config, weight),
            automaton=automaton,
            forbidden=forbidden,
        )
    assert isinstance(model, TextDecoding), "checked before"
    with mixed_precision(lengths.device, config.precision):
        return decode_joint(
            model,
            encoded.memory,
            _beam_config(config, symbols),
            ctc=ctc,
            ctc_weight=config.search().ctc_weight,
            extra=[
                Weighted(name, each.model.scorer(len(lengths), lengths.device), each.weight)
                for name, each in zip(_names(fused), fused, strict=True)
            ],
        )


def add_confidences(encoded: EncodedRecordings, hypotheses: Sequence[Hypothesis], symbols: Symbols) -> list[Hypothesis]:
    """The same hypotheses, with what CTC thinks of each of their tokens where nothing was said about it yet."""
    ctc = ctc_of(encoded, symbols)
    if ctc is None or all(hypothesis.confidences or not hypothesis.tokens for hypothesis in hypotheses):
        return list(hypotheses)
    return ctc_confidences(ctc.logits, ctc.lengths, hypotheses, blank=ctc.blank, forbidden=symbols.silent | {EOS})


def ctc_of(encoded: EncodedRecordings, symbols: Symbols) -> CtcOutput | None:
    """What the CTC head says of the recordings; None of a model without one."""
    if encoded.ctc_logits is None or symbols.blank is None:
        return None
    return CtcOutput(encoded.ctc_logits, encoded.memory.lengths, symbols.blank)


def automaton_of(fused: Sequence[Fused]) -> tuple[Automaton | None, float]:
    """The language models of a CTC beam as one automaton, and its weight.

    Raises:
        RecipeError: one of them is a neural one, which a search with prefixes cannot follow.
    """
    parts = []
    for each in fused:
        if each.model.automaton is None:
            raise RecipeError(
                "decoder ctc-beam cannot use a neural language model",
                given="its state is too large for every prefix",
                mend="Use an n-gram model (`sprachbund lm ngram`), or decode with `--decoder joint`.",
            )
        parts.append((each.model.automaton, each.weight))
    if len(parts) == 1:
        return parts[0]
    return (WeightedAutomata(parts), 1.0) if parts else (None, 0.0)


def _names(fused: Sequence[Fused]) -> list[str]:
    """Of each model by its kind; a second one of a kind is numbered."""
    names: list[str] = []
    for each in fused:
        same = sum(name.rstrip("0123456789") == each.model.name for name in names)
        names.append(each.model.name if not same else f"{each.model.name}{same + 1}")
    return names


def _ctc_config(config: DecodingConfig, language_weight: float) -> CtcBeamConfig:
    settings = config.search()
    return CtcBeamConfig(
        beam=settings.beam,
        num_best=config.num_best or 1,
        language_weight=language_weight,
        length_bonus=settings.length_bonus,
        eos=EOS,
    )


def _beam_config(config: DecodingConfig, symbols: Symbols) -> BeamConfig:
    settings = config.search()
    return BeamConfig(
        beam=settings.beam,
        num_best=config.num_best or 1,
        length_bonus=settings.length_bonus,
        length_penalty=settings.length_penalty,
        # A decoder that never ends must stop, but no recording is too long to be transcribed whole.
        max_tokens=sys.maxsize,
        max_tokens_per_frame=settings.tokens_per_second * samples_per_frame() / SAMPLING_RATE,
        eos=EOS,
        start=EOS,
        forbidden=tuple(sorted(symbols.silent)),
    )
