from pathlib import Path

import pytest
import torch
from lhotse.cut import Cut

import tiny
from sprachbund.data.batches.collate import transcript_of
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.decoding.recognition.config import DecodingConfig
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.evaluation.evaluate import evaluate
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.training.inspection import RecognitionInspector


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> list[Cut]:
    return list(tiny.make_cuts(tmp_path_factory.mktemp("inspection"), 5))


def talkative_model() -> SpeechT5:
    """Random weights say next to nothing; these say many letters and some blanks."""
    model = tiny.tiny_model(4)
    with torch.no_grad():
        model.ctc_head.weight.mul_(50)
        model.ctc_head.bias[-1] += 2
    return model


def test_figures_are_those_of_evaluation(cuts: list[Cut]) -> None:
    model, tokenizer = talkative_model(), tiny.character_tokenizer()
    figures, shown = RecognitionInspector(model, tokenizer, cuts)()
    transcripts = Recognizer(model, tokenizer).transcribe_waveforms([read_waveform(cut) for cut in cuts])
    assert len({transcript.text for transcript in transcripts} - {""}) > 1
    result = evaluate(
        [(cut.id, transcript_of(cut), said.text) for cut, said in zip(cuts, transcripts, strict=True)],
    )
    assert figures["wer"] == pytest.approx(result.wer.rate)
    assert figures["cer"] == pytest.approx(result.cer.rate)
    frames = sum(said.num_frames for said in transcripts)
    assert figures["blank_rate"] == pytest.approx(
        sum(said.blank_rate * said.num_frames for said in transcripts) / frames
    )
    assert 0 < figures["blank_rate"] < 1
    assert set(figures) == {"wer", "cer", "blank_rate"}
    for cut, said in list(zip(cuts, transcripts, strict=True))[:3]:
        assert f"  said  {transcript_of(cut)}\n  heard {said.text or '(nothing)'}" in shown
    assert shown.count("said") == 3


def test_a_silent_model_is_shown_as_such(cuts: list[Cut]) -> None:
    model = tiny.tiny_model()
    with torch.no_grad():
        model.ctc_head.bias[-1] += 1000
    figures, shown = RecognitionInspector(model, tiny.character_tokenizer(), cuts, num_shown=1)()
    assert figures == {"wer": 1.0, "cer": 1.0, "blank_rate": 1.0}
    assert shown == f"  said  {transcript_of(cuts[0])}\n  heard (nothing)"


@pytest.mark.parametrize("is_training", [True, False])
def test_the_mode_of_the_model_stays(cuts: list[Cut], is_training: bool, tmp_path: Path) -> None:
    model = tiny.tiny_model().train(is_training)
    first, _ = RecognitionInspector(model, tiny.character_tokenizer(), cuts[:2])()
    assert model.training is is_training
    assert all(parameter.grad is None for parameter in model.parameters())
    # Decoding has no dropout in either mode.
    assert RecognitionInspector(model, tiny.character_tokenizer(), cuts[:2])()[0] == first


def test_an_encoder_alone_is_inspected(cuts: list[Cut]) -> None:
    model = tiny.hubert_model(num_units=None, vocab_size=len(tiny.character_tokenizer().vocabulary))
    figures, shown = RecognitionInspector(model, tiny.character_tokenizer(), cuts)()
    assert set(figures) == {"wer", "cer", "blank_rate"}
    assert shown.count("said") == 3


def test_other_figures_and_searches_may_be_asked_for(cuts: list[Cut]) -> None:
    model, tokenizer, config = talkative_model(), tiny.character_tokenizer(), DecodingConfig(method="attention", beam=1)
    asked: list[tuple[list[str], list[str]]] = []

    def score(references: list[str], hypotheses: list[str]) -> dict[str, float]:
        asked.append((references, hypotheses))
        return {"bleu": 12.0}

    figures, _ = RecognitionInspector(model, tokenizer, cuts[:2], config=config, score=score)()
    written = Recognizer(model, tokenizer).transcribe_waveforms([read_waveform(cut) for cut in cuts[:2]], config)
    # What CTC says nothing of is told of CTC alone.
    assert figures == {"bleu": 12.0}
    assert asked == [([transcript_of(cut) for cut in cuts[:2]], [each.text for each in written])]
