"""The text decoder of a model as a scorer of the beam search."""

from dataclasses import fields, is_dataclass, replace
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from sprachbund.shapes import Float, Int, Tensor


@runtime_checkable
class Memory(Protocol):
    """What the encoder hands to the decoder: a dataclass of tensors whose first dimension is the batch."""

    @property
    def states(self) -> Float[Tensor, "batch frame dim"]:
        """Encoder states."""
        ...

    @property
    def lengths(self) -> Int[Tensor, " batch"]:
        """Valid frames."""
        ...


@runtime_checkable
class Cache(Protocol):
    """What a decoder keeps between tokens, one state a row."""

    def reorder(self, rows: Int[Tensor, " batch"]) -> None:
        """Keep these rows, in this order; their number may differ from the present one."""
        ...


MemoryType = TypeVar("MemoryType", bound=Memory)
CacheType = TypeVar("CacheType", bound=Cache)
AcceptedMemory = TypeVar("AcceptedMemory", bound=Memory, contravariant=True)


@runtime_checkable
class TextDecoder(Protocol[AcceptedMemory, CacheType]):
    """The two verbs that any model with a text decoder offers."""

    def start_cache(self, memory: AcceptedMemory) -> CacheType:
        """An empty cache for every row of the memory."""
        ...

    def decode_text(
        self, tokens: Int[Tensor, "batch token"], memory: AcceptedMemory, *, cache: CacheType
    ) -> Float[Tensor, "batch token vocab"]:
        """Logits after each of the new tokens, which are added to the cache; the memory is the one it started with."""
        ...


class AttentionScorer(Generic[MemoryType, CacheType]):
    """A model's text decoder as a scorer; starts with one row an utterance of the memory."""

    def __init__(self, decoder: TextDecoder[MemoryType, CacheType], memory: MemoryType) -> None:
        self._decoder = decoder
        self._memory = memory
        self._cache = decoder.start_cache(memory)

    def score(self, last_tokens: Int[Tensor, " row"]) -> Float[Tensor, "row vocab"]:
        """Log-probabilities of the next token, in float32."""
        logits = self._decoder.decode_text(last_tokens[:, None], self._memory, cache=self._cache)
        return logits[:, -1].float().log_softmax(dim=1)

    def reorder(self, rows: Int[Tensor, " kept"]) -> None:
        """Go on with these rows."""
        self._cache.reorder(rows)


def select_rows(memory: MemoryType, rows: Int[Tensor, " kept"]) -> MemoryType:
    """The memory of these rows: every tensor of the dataclass whose first dimension is the batch."""
    batch = len(memory.lengths)
    if not is_dataclass(memory) or isinstance(memory, type):
        raise TypeError(f"the memory must be a dataclass of tensors, not {type(memory).__name__}")
    changed: dict[str, Any] = {
        field.name: value.index_select(0, rows)
        for field in fields(memory)
        if isinstance(value := getattr(memory, field.name), Tensor) and value.ndim > 0 and value.shape[0] == batch
    }
    return replace(memory, **changed)
