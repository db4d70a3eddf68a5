"""Unified speech, text and lip-video pre-training: SpeechT5 and its family.

    import sprachbund
    recognizer = sprachbund.load("runs/asr/model")
    print(recognizer.transcribe("clip.ogg"))

Rooms, in the order in which imports may point back: signal, tokens, data, nn, checkpoints, models, objectives,
decoding, evaluation, training, recipes, serving, experiments, cli.
"""

import importlib
from typing import Any

# Public names and where they live; imported when first used, because torch takes its time.
_PUBLIC = {
    "DecodingConfig": "sprachbund.decoding.recognition.config",
    "FusedModel": "sprachbund.decoding.recognition.config",
    "load": "sprachbund.serving.load",
    "Recognizer": "sprachbund.decoding.recognition.recognizer",
    "SprachbundError": "sprachbund.errors",
}
__all__ = ["DecodingConfig", "FusedModel", "Recognizer", "SprachbundError", "load"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'sprachbund' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
