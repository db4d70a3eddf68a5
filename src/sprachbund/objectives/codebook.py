"""Terms that every objective with a codebook shares."""

from sprachbund.errors import RecipeError
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.nn.quantizer import Quantized
from sprachbund.objectives.loss import Figure, LossTerm


def codebook_terms(
    model: SpeechT5, quantized: Quantized, diversity_weight: float, commitment_weight: float
) -> tuple[LossTerm, ...]:
    """Diversity, and commitment where the codebook's rule has one; each counts once a micro-batch."""
    assert model.quantizer is not None
    terms = []
    if diversity_weight:
        terms.append(LossTerm("diversity", diversity_weight, model.quantizer.diversity_loss(quantized), 1.0))
    if commitment_weight and quantized.commitment is not None:
        terms.append(LossTerm("commitment", commitment_weight, quantized.commitment, 1.0))
    return tuple(terms)


def codebook_counts(model: SpeechT5, diversity_weight: float, commitment_weight: float) -> dict[str, float]:
    """The counts of `codebook_terms`."""
    counts = {"diversity": 1.0} if diversity_weight else {}
    if commitment_weight and model.config.quantizer_rule == "nearest":
        counts["commitment"] = 1.0
    return counts


def codebook_figures(quantized: Quantized) -> dict[str, Figure]:
    """Perplexities, averaged over micro-batches."""
    return {
        "codebook_perplexity": (quantized.probability_perplexity.detach(), 1.0),
        "code_perplexity": (quantized.code_perplexity, 1.0),
    }


def require_codebook(model: SpeechT5, use_codebook: bool) -> None:
    """Refuse a recipe that mixes codes with a model that has none.

    Raises:
        RecipeError: there is no codebook.
    """
    if use_codebook and model.quantizer is None:
        raise RecipeError(
            "codes are to be mixed in, and the model has no codebook",
            given="use_codebook: true, has_quantizer: false",
            mend="Set use_codebook: false, or has_quantizer: true.",
        )
