from typing import get_args

import pytest
import torch

import recognizers
import tiny
from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.language.models import LanguageModel, load_language_model, load_lexicon
from sprachbund.decoding.language.weighted_automata import WeightedAutomata
from sprachbund.decoding.recognition.config import DecodingConfig, Method
from sprachbund.decoding.recognition.encoding import EncodedRecordings, encode_recordings
from sprachbund.decoding.recognition.methods import Fused, Symbols, add_confidences, automaton_of, search_transcripts
from sprachbund.errors import RecipeError
from sprachbund.models.speecht5.model import SpeechT5

TOKENIZER = tiny.character_tokenizer()
SYMBOLS = Symbols(TOKENIZER.vocabulary.blank_id, frozenset({0, 1, 3, *TOKENIZER.vocabulary.added_ids}))


@pytest.fixture(scope="module")
def model() -> SpeechT5:
    model = recognizers.outspoken_recognizer().model
    assert isinstance(model, SpeechT5)
    return model


@pytest.fixture(scope="module")
def encoded(model: SpeechT5) -> EncodedRecordings:
    sounds = recognizers.waveforms((5000, 9000, 3000))
    (batch,) = encode_recordings(model, sounds, blank=SYMBOLS.blank, batch_seconds=120.0)
    return batch


@pytest.fixture(scope="module")
def neural(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return load_language_model(recognizers.write_language_model(tmp_path_factory.mktemp("lm") / "lm"), TOKENIZER)


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return load_lexicon(recognizers.write_lexicon(tmp_path_factory.mktemp("words") / "words.txt"), TOKENIZER)


@pytest.mark.parametrize("method", get_args(Method))
def test_every_method_gives_hypotheses_of_text(model: SpeechT5, encoded: EncodedRecordings, method: Method):
    config = DecodingConfig(method=method, **({} if method == "ctc" else {"num_best": 3, "beam": 3}))
    found = search_transcripts(model, encoded, config, SYMBOLS)
    assert len(found) == 3
    for hypotheses in found:
        assert 1 <= len(hypotheses) <= 3
        scores = [one.score for one in hypotheses]
        assert scores == sorted(scores, reverse=True)
        for one in hypotheses:
            assert not set(one.tokens) & (SYMBOLS.silent | {2})
            wanted = {"ctc": set(), "ctc-beam": {"ctc"}, "attention": {"decoder"}, "joint": {"ctc", "decoder"}}
            assert set(one.parts) == wanted[method]


def test_the_choices_reach_the_search(model: SpeechT5, encoded: EncodedRecordings):
    def best(**options: object) -> list[Hypothesis]:
        config = DecodingConfig(method="joint", **{"beam": 3, **options})  # type: ignore[arg-type]  # of each test
        return [hypotheses[0] for hypotheses in search_transcripts(model, encoded, config, SYMBOLS)]

    usual = best()
    assert best(beam=1) != usual
    assert best(ctc_weight=1.0)[0].parts.keys() == {"ctc"}
    assert best(ctc_weight=0.0)[0].parts.keys() == {"decoder"}
    assert best(ctc_weight=0.0, length_penalty=1.0, beam=5) == [
        one[0] for one in search_transcripts(model, encoded, DecodingConfig(method="attention"), SYMBOLS)
    ]
    for one in best(length_bonus=3.0):
        assert one.score == pytest.approx(one.log_probability + 3.0 * len(one.tokens))
    assert [len(one.tokens) for one in best(tokens_per_second=2.0, length_bonus=5.0)] == [2, 1, 1]


@pytest.mark.parametrize("method", ["attention", "joint"])
def test_a_language_model_takes_part_by_its_weight(
    model: SpeechT5, encoded: EncodedRecordings, neural: LanguageModel, method: Method
):
    config = DecodingConfig(method=method, beam=2)
    alone = search_transcripts(model, encoded, config, SYMBOLS)
    ((one, *_), *_) = search_transcripts(model, encoded, config, SYMBOLS, [Fused(neural, 0.7)])
    assert "lm" in one.parts
    weights = {"decoder": 1.0, "lm": 0.7} if method == "attention" else {"decoder": 0.7, "ctc": 0.3, "lm": 0.7}
    assert one.log_probability == pytest.approx(sum(weights[name] * part for name, part in one.parts.items()), abs=1e-3)
    assert search_transcripts(model, encoded, config, SYMBOLS, [Fused(neural, 0.0)]) == alone
    ((both, *_), *_) = search_transcripts(model, encoded, config, SYMBOLS, [Fused(neural, 0.3), Fused(neural, 0.4)])
    assert both.tokens == one.tokens
    assert both.parts["lm"] == pytest.approx(both.parts["lm2"])


@pytest.mark.parametrize("method", ["ctc-beam", "attention", "joint"])
def test_a_lexicon_lets_nothing_else_be_said(
    model: SpeechT5, encoded: EncodedRecordings, lexicon: LanguageModel, method: Method
):
    config = DecodingConfig(method=method, beam=4)
    free = search_transcripts(model, encoded, config, SYMBOLS)
    found = search_transcripts(model, encoded, config, SYMBOLS, [Fused(lexicon, 1.0)])
    said = [TOKENIZER.decode(hypotheses[0].tokens).split() for hypotheses in found]
    assert {word for words in said for word in words} <= {"bad", "cab", "a", "deed", "ace", "fed"}
    assert any(said)
    assert said != [TOKENIZER.decode(hypotheses[0].tokens).split() for hypotheses in free]


def test_a_neural_model_is_nothing_for_prefixes(neural: LanguageModel, lexicon: LanguageModel):
    with pytest.raises(RecipeError, match=r"ctc-beam cannot use a neural language model.*--decoder joint"):
        automaton_of([Fused(lexicon, 1.0), Fused(neural, 0.5)])


def test_automata_are_joined_where_there_are_several(lexicon: LanguageModel):
    assert automaton_of([]) == (None, 0.0)
    assert automaton_of([Fused(lexicon, 0.5)]) == (lexicon.automaton, 0.5)
    joined, weight = automaton_of([Fused(lexicon, 0.5), Fused(lexicon, 2.0)])
    assert isinstance(joined, WeightedAutomata) and weight == 1.0


def test_what_no_search_said_about_tokens_ctc_says(model: SpeechT5, encoded: EncodedRecordings):
    found = search_transcripts(model, encoded, DecodingConfig(method="attention", beam=2), SYMBOLS)
    best = [hypotheses[0] for hypotheses in found]
    sure = add_confidences(encoded, best, SYMBOLS)
    for before, after in zip(best, sure, strict=True):
        assert (after.tokens, after.score) == (before.tokens, before.score)
        assert len(after.confidences) == len(after.tokens)
        assert all(0 <= each <= 1 for each in after.confidences)
    assert add_confidences(encoded, sure, SYMBOLS) == sure


def test_a_model_that_gives_no_numbers_is_told(model: SpeechT5, encoded: EncodedRecordings):
    from dataclasses import replace

    broken = replace(encoded, ctc_logits=torch.full_like(encoded.ctc_logits, torch.nan))
    for method in ("ctc", "ctc-beam", "joint"):
        with pytest.raises(Exception, match="not numbers"):
            search_transcripts(model, broken, DecodingConfig(method=method), SYMBOLS)  # type: ignore[arg-type]
