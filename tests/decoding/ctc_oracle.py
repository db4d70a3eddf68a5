"""CTC and language models by definition, one utterance at a time: what fast decoders are held against."""

import itertools
import math
from collections import defaultdict

import torch


def collapse(path, blank):
    """The transcript of a path."""
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != blank)


def all_transcripts(log_probs, blank):
    """The probability of every transcript that has any, from every path through a few frames."""
    found = defaultdict(float)
    num_frames, vocab = log_probs.shape
    table = log_probs.double().exp().tolist()
    for path in itertools.product(range(vocab), repeat=num_frames):
        found[collapse(path, blank)] += math.prod(table[frame][symbol] for frame, symbol in enumerate(path))
    return {tokens: probability for tokens, probability in found.items() if probability > 0}


class TableLanguage:
    """A bigram as an automaton: its state is the last token; -1 at the start."""

    def __init__(self, vocab, seed=0, *, impossible=()):
        generator = torch.Generator().manual_seed(seed)
        self.table = torch.randn(vocab + 1, vocab, generator=generator).log_softmax(dim=1)
        for before, after in impossible:
            self.table[before, after] = -torch.inf

    def start(self, num_rows, device):
        return torch.full((num_rows, 1), -1, device=device)

    def log_probs(self, states):
        return self.table[states[:, 0]]

    def advance(self, states, tokens):
        return tokens[:, None]

    def sentence(self, tokens, eos):
        """The log-probability of a sentence, told one by one."""
        return sum(float(self.table[a, b]) for a, b in itertools.pairwise((-1, *tokens, eos)))


def plain_prefix_beam(log_probs, blank, beam, *, language=None, weight=0.0, bonus=0.0, eos=2):
    """A prefix beam search of dictionaries: (score, tokens) best first; the plain way, and a slow one."""
    rows = log_probs.double().tolist()
    said = {(): 0.0}
    prefixes = {(): (0.0, -math.inf)}

    def rank(tokens, ends):
        return _add(*ends) + weight * said[tokens] + bonus * len(tokens)

    for row in rows:
        new = defaultdict(lambda: (-math.inf, -math.inf))
        for tokens, (with_blank, with_token) in prefixes.items():
            total = _add(with_blank, with_token)
            stay_blank, stay_token = new[tokens]
            last = row[tokens[-1]] if tokens else -math.inf
            new[tokens] = (_add(stay_blank, total + row[blank]), _add(stay_token, with_token + last))
            gains = language.table[tokens[-1] if tokens else -1].tolist() if language else None
            for token, log_prob in enumerate(row):
                if token == blank or log_prob == -math.inf:
                    continue
                longer = (*tokens, token)
                before = with_blank if tokens and token == tokens[-1] else total
                new[longer] = (new[longer][0], _add(new[longer][1], before + log_prob))
                said[longer] = said[tokens] + (gains[token] if gains else 0.0)
        ranked = sorted(new, key=lambda tokens: -rank(tokens, new[tokens]))
        prefixes = {tokens: new[tokens] for tokens in ranked[:beam]}
    if language:
        said = {tokens: said[tokens] + float(language.table[tokens[-1] if tokens else -1, eos]) for tokens in prefixes}
    scored = [(rank(tokens, ends), tokens) for tokens, ends in prefixes.items()]
    return sorted(scored, key=lambda both: -both[0])


def _add(one, other):
    """log(exp(one) + exp(other))."""
    high, low = max(one, other), min(one, other)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
