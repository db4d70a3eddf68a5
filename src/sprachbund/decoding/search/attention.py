"""Transcribing with a model's text decoder: the decoder as a scorer of the beam search, and the search with it."""

from dataclasses import fields, is_dataclass, replace
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch

from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.search.beam import search_beam
from sprachbund.decoding.search.roles import BeamConfig, Weighted
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


def decode_attention_n_best(
    decoder: TextDecoder[MemoryType, CacheType], memory: MemoryType, config: BeamConfig
) -> list[list[Hypothesis]]:
    """The best transcripts of every utterance under the text decoder alone.

    Args:
        decoder: the model, in evaluation mode.
        memory: its encoder's output; an utterance of 0 frames gives the empty hypothesis of score 0.
        config: the choices of the search.

    Returns:
        For each utterance, in the order of the batch, 1 to `config.num_best` hypotheses, best first.

    Raises:
        CheckpointError: the decoder gives values that are not numbers.
    """
    found = [[Hypothesis((), 0.0, 0.0)] for _ in range(len(memory.lengths))]
    spoken = memory.lengths.nonzero().flatten()
    if len(spoken) == 0:
        return found
    if len(spoken) < len(memory.lengths):
        memory = select_rows(memory, spoken)
    limits = [config.limit(length) for length in memory.lengths.tolist()]
    with torch.no_grad():
        scorer = AttentionScorer(decoder, memory)
        results = search_beam(
            [Weighted("decoder", scorer, 1.0)], torch.tensor(limits, device=memory.lengths.device), config
        )
    for utterance, hypotheses in zip(spoken.tolist(), results, strict=True):
        found[utterance] = hypotheses
    return found


def decode_attention(
    decoder: TextDecoder[MemoryType, CacheType], memory: MemoryType, config: BeamConfig
) -> list[Hypothesis]:
    """The best transcript of every utterance under the text decoder alone; see `decode_attention_n_best`."""
    return [hypotheses[0] for hypotheses in decode_attention_n_best(decoder, memory, config)]


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
