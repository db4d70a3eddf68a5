"""How translations are searched for: by the text decoder, and with room for languages that say things at length."""

from sprachbund.decoding.recognition.config import DecodingConfig

TOKENS_PER_SECOND = 60.0
"""Longest translation. Lines of games have up to 50 letters a second of English in German."""


def translation_search(
    *, beam: int | None = None, length_penalty: float | None = None, batch_seconds: float = 120.0
) -> DecodingConfig:
    """A beam search of the text decoder.

    Args:
        beam: hypotheses kept; None for the usual number.
        length_penalty: a finished hypothesis scores its sum / (tokens + 1) ** length_penalty; None for the usual one.
        batch_seconds: recordings decoded side by side, padding included.

    Raises:
        RecipeError: a value makes no sense.
    """
    return DecodingConfig(
        method="attention",
        beam=beam,
        length_penalty=length_penalty,
        tokens_per_second=TOKENS_PER_SECOND,
        batch_seconds=batch_seconds,
    )
