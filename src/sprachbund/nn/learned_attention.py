"""Relative attention on a processor with its gradient written out: a third of the memory traffic of the plain way."""

from typing import Any, cast

import torch

from sprachbund.nn.dropout import dropped_places, rounded_rate
from sprachbund.nn.positions import distance_vectors, shifted
from sprachbund.nn.precision import single_precision
from sprachbund.shapes import Bool, Float, Tensor


def learned_attention(
    queries: Float[Tensor, "batch head query dim"],
    keys: Float[Tensor, "batch head key dim"],
    values: Float[Tensor, "batch head key dim"],
    table: Float[Tensor, "distance dim"],
    *,
    first: int,
    hidden: Bool[Tensor, "rows 1 queries key"] | None,
    dropout: float,
) -> Float[Tensor, "batch head query dim"]:
    """What `relative_attention` computes for the queries from position `first` on.

    Args:
        queries: not yet scaled.
        keys: at positions 0, 1, ...
        values: of the same positions.
        table: vectors of `RelativePositions`.
        first: position of the first query.
        hidden: True where a key is hidden from a query.
        dropout: of the weights.
    """
    num_queries, num_keys = queries.shape[2], keys.shape[2]
    vectors = distance_vectors(table, num_queries, num_keys, first).to(queries.dtype)
    dropped, rate = None, rounded_rate(dropout)
    if rate > 0.0:
        dropped = dropped_places(torch.Size((*queries.shape[:3], num_keys)), rate)
    scaled = queries * queries.shape[3] ** -0.5
    with single_precision(queries.device):
        mixed = cast(Tensor, _Attention.apply(scaled, keys, values, vectors, hidden, dropped))  # type: ignore[no-untyped-call]
    return mixed if dropped is None else mixed * (1.0 / (1.0 - rate) if rate < 1.0 else 0.0)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        vectors: Tensor,
        hidden: Tensor | None,
        dropped: Tensor | None,
    ) -> Tensor:
        logits = queries @ keys.transpose(2, 3)
        logits += shifted(queries @ vectors.T, keys.shape[2])
        if hidden is not None:
            logits.masked_fill_(hidden, -torch.inf)
        weights = logits.softmax(dim=3)
        mixed = _without(weights, dropped) @ values
        context.save_for_backward(queries, keys, values, vectors, weights, dropped, mixed)
        return mixed

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[Tensor, Tensor, Tensor, Tensor, None, None]:
        (gradient,) = gradients
        queries, keys, values, vectors, weights, dropped, mixed = context.saved_tensors
        for_values = _without(weights, dropped).transpose(2, 3) @ gradient
        for_logits = gradient @ values.transpose(2, 3)  # of the weights, so far
        if dropped is not None:
            for_logits.masked_fill_(dropped, 0.0)
        # Through the softmax. The sum over keys of gradient times weight is that over channels of what came out.
        precise = torch.promote_types(gradient.dtype, torch.float32)
        total = (gradient.to(precise) * mixed.to(precise)).sum(dim=3, keepdim=True)
        for_logits.sub_(total.to(gradient.dtype)).mul_(weights)
        width = len(vectors)
        for_products = for_logits.new_zeros(*for_logits.shape[:3], width)
        shifted(for_products, keys.shape[2]).copy_(for_logits)
        for_queries = for_logits @ keys + for_products @ vectors
        for_vectors = for_products.reshape(-1, width).T @ queries.reshape(-1, queries.shape[3])
        return for_queries, for_logits.transpose(2, 3) @ queries, for_values, for_vectors, None, None


def _without(weights: Tensor, dropped: Tensor | None) -> Tensor:
    return weights if dropped is None else weights.masked_fill(dropped, 0.0)
