"""Multi-head attention on top of `scaled_dot_product_attention`, with relative positions, caches and weights."""

from typing import NamedTuple

from torch import nn
from torch.nn import functional as F

from sprachbund.nn.gated_bias import GatedBias, biased_attention
from sprachbund.nn.masking import hidden_keys
from sprachbund.nn.relative_attention import relative_attention
from sprachbund.nn.row_groups import RowGroups
from sprachbund.shapes import Bool, Float, Int, Tensor


class KeysValues(NamedTuple):
    """Keys and values of a memory, split into heads."""

    keys: Float[Tensor, "batch head key dim"]
    values: Float[Tensor, "batch head key dim"]


class Attended(NamedTuple):
    """What attention returns: states, and the weights if they were wanted."""

    states: Float[Tensor, "batch query dim"]
    weights: Float[Tensor, "batch head query key"] | None


class PastDistances(NamedTuple):
    """Relative positions where keys lie in no order: a distance for each query and key, and the vectors of each."""

    distances: Int[Tensor, "utterance query key"]
    table: Float[Tensor, "distance head_dim"]

    def bias(
        self,
        queries: Float[Tensor, "utterance head query head_dim"],
        mask: Bool[Tensor, "utterance 1 query key"] | None,
    ) -> Float[Tensor, "utterance head query key"]:
        """What is added to the logits of scaled queries; minus infinity where the mask is False."""
        most = len(self.table) // 2
        rows = self.distances.clamp(-most, most - 1) + most  # -> utterance query key
        products = queries @ self.table.to(queries.dtype).T  # -> utterance head query distance
        bias = products.gather(3, rows[:, None].expand(-1, queries.shape[1], -1, -1))
        return bias if mask is None else bias.masked_fill(~mask, float("-inf"))


class MultiheadAttention(nn.Module):
    """Separate projections of queries, keys, values and the result, all with bias.

    Args:
        dim: width of the queries and of the result.
        num_heads: heads, each ``dim / num_heads`` wide.
        memory_dim: width of what is attended to, if not `dim`.
        dropout: of the attention weights.
    """

    def __init__(self, dim: int, num_heads: int, *, memory_dim: int | None = None, dropout: float = 0.0) -> None:
        super().__init__()
        memory_dim = dim if memory_dim is None else memory_dim
        self.num_heads = num_heads
        self.head_dim = dim // num_heads
        self.dropout = dropout
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(memory_dim, dim)
        self.value = nn.Linear(memory_dim, dim)
        self.out = nn.Linear(dim, dim)

    def project_memory(self, memory: Float[Tensor, "batch key memory"]) -> KeysValues:
        """Keys and values of `memory`, to be kept where the same memory is attended to again."""
        return KeysValues(self._split(self.key(memory)), self._split(self.value(memory)))

    def forward(
        self,
        states: Float[Tensor, "batch query dim"],
        memory: KeysValues,
        *,
        padding_mask: Bool[Tensor, "batch key"] | None = None,
        causal: bool = False,
        relative_table: Float[Tensor, "distance head_dim"] | None = None,
        gated_bias: GatedBias | None = None,
        need_weights: bool = False,
    ) -> Attended:
        """Attend to `memory`.

        Args:
            states: where queries are made from. With `causal` they are the last positions of the memory.
            memory: from `project_memory`.
            padding_mask: True at keys nobody attends to. A row that is padding throughout is attended to as it is:
                its result is finite and without meaning.
            causal: each query sees its own position and those before.
            relative_table: vectors of `RelativePositions`.
            gated_bias: of self-attention; instead of the table.
            need_weights: return the weights as well; without relative positions of either kind.
        """
        queries = self._split(self.query(states))
        if padding_mask is not None:
            padding_mask = padding_mask & ~padding_mask.all(dim=1, keepdim=True)
        num_queries, num_keys = queries.shape[2], memory.keys.shape[2]
        first = num_keys - num_queries if causal else 0
        if need_weights:
            hidden = hidden_keys(padding_mask, causal, num_queries, num_keys, first, states.device)
            mixed, weights = self._weigh(queries, memory, hidden)
            return Attended(self._join(mixed), weights)
        dropout = self.dropout if self.training else 0.0
        if gated_bias is not None:
            mixed = biased_attention(queries, *memory, gated_bias, padding_mask=padding_mask, dropout=dropout)
            return Attended(self._join(mixed), None)
        if relative_table is None:
            return Attended(self._join(self._attend(queries, memory, padding_mask, causal)), None)
        mixed = relative_attention(
            queries, *memory, relative_table, padding_mask=padding_mask, causal=causal, dropout=dropout
        )
        return Attended(self._join(mixed), None)

    def attend_together(
        self,
        states: Float[Tensor, "row position dim"],
        memory: KeysValues,
        mask: Bool[Tensor, "utterance 1 query key"] | None,
        groups: RowGroups,
        *,
        relative: PastDistances | None = None,
        need_weights: bool = False,
    ) -> Attended:
        """Attend to a memory that the rows of an utterance share.

        Args:
            states: where queries are made from.
            memory: one row an utterance.
            mask: True at keys that a query sees, in the order of `RowGroups.spread`, or one query for all.
            groups: rows by utterance.
            relative: how far each key stands before each query.
            need_weights: return the weights as well; without relative positions.
        """
        queries, weights = groups.spread(self._split(self.query(states))), None
        if relative is not None:
            mixed = self._product(queries, memory, relative.bias(queries * self.head_dim**-0.5, mask))
        elif need_weights:
            mixed, looked = self._weigh(queries, memory, None if mask is None else ~mask)
            weights = groups.collect(looked)
        else:
            mixed = self._product(queries, memory, mask)
        return Attended(self._join(groups.collect(mixed)), weights)

    def _attend(
        self,
        queries: Float[Tensor, "batch head query dim"],
        memory: KeysValues,
        padding_mask: Bool[Tensor, "batch key"] | None,
        causal: bool,
    ) -> Float[Tensor, "batch head query dim"]:
        num_queries, num_keys = queries.shape[2], memory.keys.shape[2]
        if causal and padding_mask is None and num_queries == num_keys:
            return self._product(queries, memory, None, is_causal=True)
        first = num_keys - num_queries
        hidden = hidden_keys(padding_mask, causal and num_queries > 1, num_queries, num_keys, first, queries.device)
        return self._product(queries, memory, None if hidden is None else ~hidden)

    def _product(
        self,
        queries: Float[Tensor, "batch head query dim"],
        memory: KeysValues,
        mask: Tensor | None,
        *,
        is_causal: bool = False,
    ) -> Float[Tensor, "batch head query dim"]:
        dropout = self.dropout if self.training else 0.0
        return F.scaled_dot_product_attention(
            queries, memory.keys, memory.values, attn_mask=mask, dropout_p=dropout, is_causal=is_causal
        )

    def _weigh(
        self, queries: Float[Tensor, "batch head query dim"], memory: KeysValues, hidden: Tensor | None
    ) -> tuple[Float[Tensor, "batch head query dim"], Float[Tensor, "batch head query key"]]:
        logits = (queries * self.head_dim**-0.5) @ memory.keys.transpose(2, 3)
        if hidden is not None:
            logits = logits.masked_fill(hidden, float("-inf"))
        weights = logits.float().softmax(dim=3)
        dropped = F.dropout(weights.to(logits.dtype), self.dropout, self.training)
        return dropped @ memory.values, weights

    def _split(self, states: Float[Tensor, "batch position dim"]) -> Float[Tensor, "batch head position head_dim"]:
        return states.view(*states.shape[:2], self.num_heads, self.head_dim).transpose(1, 2)

    def _join(self, heads: Float[Tensor, "batch head query head_dim"]) -> Float[Tensor, "batch query dim"]:
        joined: Tensor = self.out(heads.transpose(1, 2).flatten(2))
        return joined
