"""A decoder small enough that every transcript can be tried."""

from dataclasses import dataclass

import torch

from sprachbund.decoding.search.joint import decode_joint
from sprachbund.shapes import Float, Int, Tensor


@dataclass(frozen=True)
class FakeMemory:
    states: Tensor
    lengths: Tensor
    marks: Tensor  # a further field with a row an utterance
    shared: Tensor  # and one without

    @staticmethod
    def of(utterances, padding=0):
        """Utterances of (frame, dim) states side by side, with `padding` frames of rubbish after the longest."""
        lengths = torch.tensor([len(utterance) for utterance in utterances], dtype=torch.long)
        dim = utterances[0].shape[1]
        states = torch.full((len(utterances), int(lengths.max()) + padding, dim), 7.0)
        for row, utterance in enumerate(utterances):
            states[row, : len(utterance)] = utterance
        return FakeMemory(states, lengths, torch.arange(len(utterances)), torch.zeros(100))


class FakeCache:
    def __init__(self, memory):
        self.history = torch.zeros(len(memory.lengths), 0, dtype=torch.long)
        self.contexts = contexts_of(memory)

    def reorder(self, rows):
        self.history, self.contexts = self.history[rows], self.contexts[rows]


def contexts_of(memory):
    """What a decoder takes from each utterance: the mean of its valid frames."""
    rows = zip(memory.states.double(), memory.lengths.tolist(), strict=True)
    return torch.stack([states[:length].mean(dim=0) for states, length in rows])


class FakeDecoder:
    """The next token depends on every token before it and on the utterance's valid frames."""

    def __init__(self, vocab=9, dim=4, seed=0, sharpness=3.0):
        generator = torch.Generator().manual_seed(seed)
        self.embedding = torch.randn(vocab, dim, generator=generator, dtype=torch.float64)
        self.output = sharpness * torch.randn(dim, vocab, generator=generator, dtype=torch.float64)
        self.calls = 0
        self.rows = []

    def start_cache(self, memory):
        return FakeCache(memory)

    def decode_text(
        self, tokens: Int[Tensor, "batch token"], memory, *, cache=None
    ) -> Float[Tensor, "batch token vocab"]:
        self.calls += 1
        self.rows.append(len(tokens))
        history = tokens if cache is None else torch.cat([cache.history, tokens], dim=1)
        if cache is not None:
            cache.history = history
        contexts = contexts_of(memory) if cache is None else cache.contexts
        state, outputs = torch.zeros_like(contexts), []
        for token in history.T:
            state = torch.tanh(0.7 * state + self.embedding[token] + contexts)
            outputs.append(state @ self.output)
        return torch.stack(outputs[-tokens.shape[1] :], dim=1)


def utterances_of(lengths, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(length, 4, generator=generator) for length in lengths]


class FakeLanguageModel:
    """A scorer whose next token depends on every token before it."""

    def __init__(self, num_rows, vocab=9, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.embedding = torch.randn(vocab, 3, generator=generator)
        self.output = 3.0 * torch.randn(3, vocab, generator=generator)
        self.states = torch.zeros(num_rows, 3)

    def score(self, last_tokens):
        assert len(last_tokens) == len(self.states)
        self.states = torch.tanh(0.7 * self.states + self.embedding[last_tokens])
        return (self.states @ self.output).log_softmax(dim=1)

    def reorder(self, rows):
        self.states = self.states[rows]


def decode_attention_n_best(decoder, memory, config):
    """The search with the text decoder alone."""
    return decode_joint(decoder, memory, config, ctc=None, ctc_weight=0.0)


def decode_attention(decoder, memory, config):
    """The best of each utterance."""
    return [hypotheses[0] for hypotheses in decode_attention_n_best(decoder, memory, config)]
