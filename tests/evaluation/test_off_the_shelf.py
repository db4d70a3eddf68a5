from pathlib import Path

import numpy as np
import pytest

from spoken import RATE, cut_of
from sprachbund.decoding.recognition import sphinx as sphinx_recognizer
from sprachbund.errors import DataError
from sprachbund.evaluation.evaluate import evaluate, load_evaluation, save_evaluation
from sprachbund.evaluation.off_the_shelf import decode_cuts_with_pocketsphinx


def test_its_result_is_that_of_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sphinx_recognizer, "recognize_words", lambda waveform: ("us",) * (len(waveform) // 1600))
    cuts = [
        cut_of(tmp_path, name, np.full(length, 0.1, np.float32), [(0.0, length / RATE, "us", "en")])
        for name, length in (("said", 1600), ("twice", 3200), ("short", 800))
    ]
    decoded = decode_cuts_with_pocketsphinx(cuts)
    assert decoded.ids == ("said", "twice", "short")
    assert decoded.references == ("us",) * 3
    assert decoded.hypotheses == ("us", "us us", "")
    assert decoded.audio_seconds == pytest.approx(5600 / RATE)
    assert decoded.blank_rate is None
    assert decoded.decoding_seconds > 0
    triples = zip(decoded.ids, decoded.references, decoded.hypotheses, strict=True)
    result = evaluate(triples, blank_rate=decoded.blank_rate, seconds=decoded.audio_seconds)
    assert (result.num_exact, result.wer.rate) == (1, pytest.approx(2 / 3))
    save_evaluation(result, tmp_path / "saved")
    assert load_evaluation(tmp_path / "saved") == result


def test_cuts_without_a_transcript_are_refused(tmp_path: Path) -> None:
    cut = cut_of(tmp_path, "cut", np.full(1600, 0.1, np.float32), [])
    with pytest.raises(DataError, match="transcript"):
        decode_cuts_with_pocketsphinx([cut])
