"""One batch learned by heart: the quickest sign that every part of the path can learn."""

from collections.abc import Sequence
from typing import Any

import torch

from sprachbund.config import from_mapping, merge, to_mapping
from sprachbund.data.batches.collate import TranscribedCollator, transcript_of
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.evaluation.demo_report import OverfitResult
from sprachbund.evaluation.error_rates import count_character_errors
from sprachbund.models.speecht5.config import SpeechT5Config
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.objectives.recognition import Recognition, RecognitionConfig
from sprachbund.tokens.text import TextTokenizer
from sprachbund.training.module import step_seed
from sprachbund.training.optimizer import Adam

CHECK_EVERY = 25
_NO_DROPOUT = {"dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0}


def overfit_one_batch(clips: Sequence[Any], tokenizer: TextTokenizer, *, max_steps: int, seed: int) -> OverfitResult:
    """Train SpeechT5-tiny without dropout on one batch of cuts until greedy CTC repeats it, or for `max_steps`."""
    torch.manual_seed(step_seed(seed, 0))
    model = SpeechT5(_config(len(tokenizer.vocabulary)))
    objective = Recognition(model, RecognitionConfig(normalize_by="tokens", label_smoothing=0.0))
    optimizer = Adam(model.parameters(), rate=1e-3)
    batch = TranscribedCollator(seed=seed, tokenizer=tokenizer)(clips, 0)
    step, cer = 0, 1.0
    while step < max_steps and cer > 0:
        step += 1
        model.train()
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * min(1.0, step / 50)
        optimizer.zero_grad()
        objective(batch).total().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        if step % CHECK_EVERY == 0:
            cer = _cer(model, tokenizer, clips)
    return OverfitResult(step, cer, len(clips))


def _config(vocab_size: int) -> SpeechT5Config:
    plain = to_mapping(SpeechT5Config.tiny(vocab_size))
    calm = {"dropout": 0.0, "encoder": _NO_DROPOUT, "decoder": _NO_DROPOUT}
    return from_mapping(SpeechT5Config, merge(plain, calm), "overfitting")


def _cer(model: SpeechT5, tokenizer: TextTokenizer, clips: Sequence[Any]) -> float:
    transcripts = Recognizer(model, tokenizer).transcribe_waveforms([read_waveform(cut) for cut in clips])
    counts = [
        count_character_errors(transcript_of(cut), transcript.text)
        for cut, transcript in zip(clips, transcripts, strict=True)
    ]
    return sum(count.errors for count in counts) / max(sum(count.length for count in counts), 1)
