"""The options that verbs share which decode."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from sprachbund.errors import RecipeError

ThreadsOption = Annotated[int, typer.Option(min=0, help="Threads of tensor arithmetic; 0 takes what there is.")]


@dataclass(frozen=True, kw_only=True)
class DecodingOptions:
    """What the command line says about the search; what it does not say is usual for the decoder."""

    decoder: Annotated[
        str | None,
        typer.Option(
            help="ctc: best path (the usual one); ctc-beam: CTC prefixes; attention: the text decoder; joint: both.",
            metavar="ctc|ctc-beam|attention|joint",
        ),
    ] = None
    beam: Annotated[int | None, typer.Option(min=1, help="Hypotheses kept of each recording.")] = None
    lm: Annotated[
        list[Path] | None, typer.Option(help="A language model: a folder or an ARPA file; may be given again.")
    ] = None
    lm_weight: Annotated[
        list[float] | None, typer.Option(min=0, help="Its weight; in the order of the language models.")
    ] = None
    ctc_weight: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of CTC in the joint search; the decoder has the rest.")
    ] = None
    length_bonus: Annotated[float | None, typer.Option(help="Added to the score for each token.")] = None
    lexicon: Annotated[Path | None, typer.Option(help="A file of words, one a line: no other word is said.")] = None
    settings: Annotated[
        Path | None, typer.Option(help="Settings of `sprachbund tune-decoding`; the options above change them.")
    ] = None
    batch_seconds: Annotated[float | None, typer.Option(min=0.1, help="Seconds of speech decoded side by side.")] = None

    def config(self, **more: Any) -> Any:
        """The `DecodingConfig` that the options describe; its module takes torch, which help does not wait for.

        Args:
            more: values of its fields that the verb decides.

        Raises:
            RecipeError: the options do not go together, or the settings cannot be read.
        """
        from dataclasses import replace

        from sprachbund.decoding.recognition.config import DecodingConfig, require_method
        from sprachbund.serving.settings import read_settings

        base = DecodingConfig() if self.settings is None else read_settings(self.settings)
        told = {
            "method": None if self.decoder is None else require_method(self.decoder),
            "beam": self.beam,
            "ctc_weight": self.ctc_weight,
            "length_bonus": self.length_bonus,
            "lexicon": None if self.lexicon is None else str(self.lexicon),
            "batch_seconds": self.batch_seconds,
            "language_models": self._language_models(base),
            **more,
        }
        return replace(base, **{name: value for name, value in told.items() if value is not None})

    def _language_models(self, base: Any) -> tuple[Any, ...] | None:
        """The language models of the command line, or those of the settings under its weights."""
        from dataclasses import replace

        from sprachbund.decoding.recognition.config import FusedModel

        if not self.lm and not self.lm_weight:
            return None
        models = tuple(FusedModel(path=str(path)) for path in self.lm) if self.lm else base.language_models
        weights = self.lm_weight or [model.weight for model in models]
        if len(weights) != len(models):
            raise RecipeError(
                "there must be one weight a language model",
                given=f"{len(models)} language models and {len(weights)} weights",
                mend="Give --lm-weight as often as --lm, in the same order.",
            )
        return tuple(replace(model, weight=weight) for model, weight in zip(models, weights, strict=True))


def set_threads(threads: int) -> None:
    """Let tensor arithmetic use so many threads; 0 leaves it alone."""
    if threads:
        import torch

        torch.set_num_threads(threads)
