"""The options that verbs share which decode."""

from typing import Annotated, Any

import typer

from sprachbund.errors import RecipeError

MethodOption = Annotated[str, typer.Option(help="ctc: greedy on the encoder; attention: beam search with the decoder.")]
BeamOption = Annotated[int, typer.Option(min=1, help="Hypotheses kept by the attention beam.")]
BatchOption = Annotated[float, typer.Option(min=0.1, help="Seconds of speech decoded side by side.")]
ThreadsOption = Annotated[int, typer.Option(min=0, help="Threads of tensor arithmetic; 0 takes what there is.")]


def decoding_config(method: str, beam: int, batch_seconds: float) -> Any:
    """The `DecodingConfig` that the options describe; its module takes torch, which help does not wait for.

    Raises:
        RecipeError: there is no such decoder.
    """
    if method not in ("ctc", "attention"):
        raise RecipeError("there is no such decoder", given=method, mend="Give --decoder ctc or --decoder attention.")
    from sprachbund.decoding.recognizer import DecodingConfig

    return DecodingConfig(method="ctc" if method == "ctc" else "attention", beam=beam, batch_seconds=batch_seconds)


def set_threads(threads: int) -> None:
    """Let tensor arithmetic use so many threads; 0 leaves it alone."""
    if threads:
        import torch

        torch.set_num_threads(threads)
