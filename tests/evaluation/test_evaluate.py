import json

import pytest

from sprachbund.errors import DataError
from sprachbund.evaluation.evaluate import (
    compare_character_errors,
    compare_word_errors,
    evaluate,
    load_evaluation,
    save_evaluation,
    summarize,
)

TRANSCRIPTS = [("a", "the cat sat", "the cat sat"), ("b", "on the mat", "in a\u2028mat"), ("ü", "", "öh")]


def test_figures():
    result = evaluate(TRANSCRIPTS, blank_rate=0.75, seconds=90.0)
    assert (result.num_clips, result.num_exact) == (3, 1)
    assert (result.wer.errors, result.wer.length) == (3, 6)
    assert result.cer.length == 21
    assert [clip.words.errors for clip in result.clips] == [0, 2, 1]


def test_saved_and_loaded_is_the_same(tmp_path):
    result = evaluate(TRANSCRIPTS, blank_rate=0.75)
    save_evaluation(result, tmp_path / "run" / "test")
    assert load_evaluation(tmp_path / "run" / "test") == result
    assert sorted(path.name for path in (tmp_path / "run" / "test").iterdir()) == [
        "clips.jsonl",
        "evaluation.json",
        "summary.txt",
    ]


def test_files_can_be_read_by_anyone(tmp_path):
    save_evaluation(evaluate(TRANSCRIPTS), tmp_path)
    figures = json.loads((tmp_path / "evaluation.json").read_text("utf-8"))
    assert figures["wer"]["rate"] == pytest.approx(0.5)
    assert figures["blank_rate"] is None
    records = [json.loads(line) for line in (tmp_path / "clips.jsonl").read_text("utf-8").split("\n") if line]
    assert records[2]["hypothesis"] == "öh"
    assert records[1]["words"]["substitutions"] == 2


def test_summary_names_rates_and_the_worst_clip_first():
    text = summarize(evaluate(TRANSCRIPTS, blank_rate=0.5, seconds=120.0))
    assert "50.0 %" in text and "2.0 minutes" in text and "3 errors in 6" in text
    assert text.index("b: 4 of 10") < text.index("ü: 2 of 0")


def test_refused_inputs():
    with pytest.raises(DataError, match="no utterance"):
        evaluate([])
    with pytest.raises(DataError, match="twice"):
        evaluate([("a", "x", "x"), ("a", "x", "y")])


@pytest.mark.parametrize("damage", ["missing", "torn", "fewer", "other"])
def test_damaged_files_are_told(tmp_path, damage):
    save_evaluation(evaluate(TRANSCRIPTS), tmp_path)
    figures, clips = tmp_path / "evaluation.json", tmp_path / "clips.jsonl"
    if damage == "missing":
        clips.unlink()
    elif damage == "torn":
        figures.write_text(figures.read_text()[:40])
    elif damage == "fewer":
        clips.write_text(clips.read_text("utf-8").split("\n")[0])
    else:
        figures.write_text('{"loss": 1.0}')
    with pytest.raises(DataError, match="cannot be read"):
        load_evaluation(tmp_path)


def test_comparison_pairs_clips_by_id():
    references = [(f"clip{number}", "abcdefghij") for number in range(30)]
    good = evaluate((key, text, text) for key, text in references)
    bad = evaluate((key, text, text[:5]) for key, text in reversed(references))
    difference = compare_character_errors(bad, good)
    assert difference.difference == pytest.approx(0.5) and difference.is_shown
    # The same answers in another order are the same system, whatever its clips are like.
    mixed = [(key, text, text[: number % 10]) for number, (key, text) in enumerate(references)]
    same = compare_character_errors(evaluate(mixed), evaluate(sorted(mixed, key=lambda row: row[2])))
    assert (same.low, same.high) == (0.0, 0.0)
    with pytest.raises(DataError, match="same clips"):
        compare_character_errors(good, evaluate([("clip0", "abcdefghij", "")]))


def test_words_are_compared_like_characters():
    good = evaluate((f"clip{number}", "two words", "two words") for number in range(20))
    bad = evaluate((f"clip{number}", "two words", "two swords") for number in range(20))
    assert compare_word_errors(bad, good).difference == pytest.approx(0.5)
    assert compare_character_errors(bad, good).difference == pytest.approx(1 / 9)
    with pytest.raises(DataError, match="same clips"):
        compare_word_errors(good, evaluate([("clip0", "two words", "")]))
