import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF

from sprachbund.errors import DataError
from sprachbund.evaluation.translation import (
    METRICS,
    TranslationResult,
    compare_translations,
    corpus_scores,
    load_translations,
    save_translations,
    score_translations,
    summarize,
)

REFERENCES = (
    "Weißt Du wer ich bin, Bürschchen?",
    "Keine Ahnung. Ich arbeite hier nicht.",
    "Was dagegen, wenn ich mich etwas umsehe?",
    "Es ist Teil der Maschine, die das Förderband betreibt.",
    "Ich habe nicht die Zeit, hier so herumzuhängen.",
)
HYPOTHESES = (
    "weißt du wer ich bin, Bürschchen?",
    "Keine Ahnung, ich arbeite hier nicht.",
    "Was dagegen wenn ich gehe?",
    "Es ist Teil der Maschine, die läuft.",
    "Ich habe die Zeit.",
)


def result_of(hypotheses: tuple[str, ...] = HYPOTHESES) -> TranslationResult:
    pairs = zip(REFERENCES, hypotheses, strict=True)
    return score_translations(((str(place), wanted, found) for place, (wanted, found) in enumerate(pairs)), target="de")


def test_the_numbers_are_those_of_sacrebleu():
    result = result_of()
    assert [score.metric for score in result.scores] == list(METRICS)
    for score, metric in zip(result.scores, (BLEU(), BLEU(lowercase=True), CHRF(), CHRF(lowercase=True)), strict=True):
        assert score.value == pytest.approx(metric.corpus_score(HYPOTHESES, [REFERENCES]).score)
        assert 0 < score.margin < 50
        case = "lc" if score.metric.endswith("-lc") else "mixed"
        assert f"case:{case}" in score.signature and "nrefs:1" in score.signature and "version:" in score.signature
    values = {score.metric: score.value for score in result.scores}
    assert values["BLEU"] < values["BLEU-lc"]
    assert corpus_scores(REFERENCES, HYPOTHESES) == pytest.approx({"bleu": values["BLEU"], "chrf": values["chrF"]})


def test_the_ends_of_the_scale():
    for score in result_of(REFERENCES).scores:
        assert (score.value, score.margin) == (pytest.approx(100), pytest.approx(0, abs=1e-3))
    for score in result_of(("",) * len(REFERENCES)).scores:
        assert (score.value, score.margin) == (0, 0)


def test_some_resamples_may_score_nothing():
    hypotheses = (*("",) * 4, HYPOTHESES[4])
    for score in result_of(hypotheses).scores:
        assert 0 <= score.value < 40 and 0 < score.margin < 50


def test_two_systems_are_compared():
    better, worse = result_of(), result_of(("Nein.",) * len(REFERENCES))
    one, other = compare_translations(better, worse), compare_translations(worse, better)
    for place, name in enumerate(METRICS):
        values = {score.metric: score.value for score in better.scores}
        assert (one[place].metric, one[place].value) == (name, pytest.approx(values[name]))
        assert one[place].difference == pytest.approx(-other[place].difference) and one[place].difference > 0
        assert 0 < one[place].p <= 1
    assert {each.p for each in compare_translations(better, better)} == {1.0}
    assert {each.difference for each in compare_translations(better, better)} == {0.0}


@settings(deadline=None, max_examples=4)
@given(order=st.permutations(range(len(REFERENCES))))
def test_the_order_of_utterances_does_not_matter(order: list[int]):
    result = result_of()
    turned = score_translations(((str(place), REFERENCES[place], HYPOTHESES[place]) for place in order), target="de")
    assert [score.value for score in turned.scores] == pytest.approx([score.value for score in result.scores])
    assert all(each.difference == pytest.approx(0) for each in compare_translations(turned, result))


def test_only_the_same_clips_are_compared():
    with pytest.raises(DataError, match="same clips"):
        compare_translations(result_of(), replace(result_of(), utterances=result_of().utterances[1:]))


@pytest.mark.parametrize(
    ("utterances", "words"),
    [
        ((), "no utterance"),
        ((("a", "Ja.", "Ja."), ("a", "Nein.", "Ja.")), "twice"),
        ((("a", "Ja.", "Ja."), ("b", " ", "Ja.")), "a reference is empty.*clip b"),
    ],
    ids=["none", "twice", "empty"],
)
def test_what_cannot_be_scored_is_refused(utterances: tuple[tuple[str, str, str], ...], words: str):
    with pytest.raises(DataError, match=words):
        score_translations(utterances, target="de")


def test_saved_and_loaded_and_told(tmp_path: Path):
    result = result_of()
    save_translations(result, tmp_path / "new" / "de.json")
    assert load_translations(tmp_path / "new" / "de.json") == result
    content = json.loads((tmp_path / "new" / "de.json").read_text("utf-8"))
    assert content["utterances"][0]["hypothesis"] == HYPOTHESES[0]
    text = summarize(result)
    for score in result.scores:
        assert f"{score.metric:<12} {score.value:.1f} ± {score.margin:.1f}   {score.signature}\n" in text
    assert HYPOTHESES[4] in text and REFERENCES[4] in text


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"target": 3}', "no JSON"])
def test_other_files_are_refused(tmp_path: Path, content: str | None):
    if content is not None:
        (tmp_path / "de.json").write_text(content)
    with pytest.raises(DataError, match=r"translations cannot be read.*de\.json"):
        load_translations(tmp_path / "de.json")
