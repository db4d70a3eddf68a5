"""What the verbs of a model of speech and units return."""

from dataclasses import dataclass

from sprachbund.shapes import Float, Int, Tensor


@dataclass(frozen=True)
class MixedStates:
    """States of speech of which some gave way to vectors of units."""

    states: Float[Tensor, "batch frame dim"]
    units: Int[Tensor, "batch frame"]  # that vectors were taken of, with padding where there is none
    distance: Float[Tensor, ""] | None  # of states and vectors, a sum over frames, where it was wanted
