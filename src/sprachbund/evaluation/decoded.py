"""What a recogniser, ours or another, made of a manifest."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DecodedManifest:
    """Hypotheses beside their references, in the order of the manifest."""

    ids: tuple[str, ...]
    references: tuple[str, ...]
    hypotheses: tuple[str, ...]
    blank_rate: float | None  # over all frames; None where there is no CTC
    audio_seconds: float
    decoding_seconds: float
