"""Modified Kneser-Ney as the formulas say it, with dictionaries, one n-gram at a time."""

from collections import Counter, defaultdict
from collections.abc import Sequence

Gram = tuple[str, ...]
BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"


class Oracle:
    """Probabilities of words after contexts, from sentences of words."""

    def __init__(self, sentences: Sequence[Sequence[str]], order: int, words: Sequence[str], prune: Sequence[int]):
        self.order, self.words = order, list(words)
        self.occurrences = self._occurrences(sentences)
        self.adjusted = self._adjusted()
        self.prune = [*prune, *[prune[-1] if prune else 0] * order]
        self.discounts = [self._discounts(length) for length in range(1, order + 1)]

    def _occurrences(self, sentences: Sequence[Sequence[str]]) -> Counter[Gram]:
        found: Counter[Gram] = Counter()
        for sentence in sentences:
            padded = [BEGIN, *sentence, END]
            for end in range(1, len(padded)):
                for length in range(1, self.order + 1):
                    if end - length + 1 >= 0:
                        found[tuple(padded[end - length + 1 : end + 1])] += 1
        return found

    def _adjusted(self) -> dict[Gram, int]:
        before: dict[Gram, set[str]] = defaultdict(set)
        for gram in self.occurrences:
            before[gram[1:]].add(gram[0])
        return {
            gram: count if len(gram) == self.order or gram[0] == BEGIN else len(before[gram])
            for gram, count in self.occurrences.items()
        }

    def _discounts(self, length: int) -> tuple[float, float, float]:
        t = Counter(count for gram, count in self.adjusted.items() if len(gram) == length)
        if not (t[1] and t[2] and t[3]):
            return 0.5, 1.0, 1.5
        y = t[1] / (t[1] + 2 * t[2])
        d = [i - (i + 1) * y * t[i + 1] / t[i] for i in (1, 2, 3)]
        return (d[0], d[1], d[2]) if all(0 <= d[i - 1] <= i for i in (1, 2, 3)) else (0.5, 1.0, 1.5)

    def is_kept(self, gram: Gram) -> bool:
        return len(gram) == 1 or self.occurrences[gram] > self.prune[len(gram) - 1]

    def probability(self, context: Gram, word: str) -> float:
        """Of a word after a context that is no longer than the model's."""
        if word == BEGIN:
            return 0.0
        after = {g[-1]: c for g, c in self.adjusted.items() if len(g) == len(context) + 1 and g[:-1] == context}
        shorter = self.probability(context[1:], word) if context else 1 / (len(self.words) - 1)
        if not after:
            return shorter
        total = sum(after.values())
        own, left = 0.0, 0.0
        for follower, count in after.items():
            kept = self.is_kept((*context, follower))
            taken = self.discounts[len(context)][min(count, 3) - 1] if kept else count
            left += taken
            own += (count - taken) if follower == word else 0.0
        return own / total + left / total * shorter
