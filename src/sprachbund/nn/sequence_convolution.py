"""Convolutions along a sequence of states, for which padding is silence."""

from torch import nn

from sprachbund.shapes import Bool, Float, Tensor


class SequenceConvolution(nn.Conv1d):
    """A convolution along the positions of states; it yields as many positions as it is given.

    Args:
        num_inputs: width of the states.
        num_outputs: width of the result.
        kernel: positions that it spans, an odd number.
    """

    def __init__(self, num_inputs: int, num_outputs: int, kernel: int) -> None:
        super().__init__(num_inputs, num_outputs, kernel, padding=kernel // 2)

    def reset_parameters(self) -> None:
        """Uniform weights after Glorot and Bengio (2010), for a ReLU behind them."""
        super().reset_parameters()
        nn.init.xavier_uniform_(self.weight, nn.init.calculate_gain("relu"))

    def forward(  # type: ignore[override]  # states instead of channels first
        self, states: Float[Tensor, "batch position dim"], padding_mask: Bool[Tensor, "batch position"] | None
    ) -> Float[Tensor, "batch position output"]:
        """With a mask, padding is zero for the convolution; without one it takes part as it is."""
        if padding_mask is not None:
            states = states.masked_fill(padding_mask[:, :, None], 0.0)
        result: Tensor = super().forward(states.transpose(1, 2)).transpose(1, 2)
        return result
