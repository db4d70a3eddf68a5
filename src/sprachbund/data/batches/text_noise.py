"""Text infilling: spans of whole words give way to one mask (BART, section 2.1; SpeechT5, section 2.3)."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache

import torch

from sprachbund.errors import VocabularyError
from sprachbund.shapes import Bool, Int, Tensor


@dataclass(frozen=True, kw_only=True)
class TextInfilling:
    """How a line is noised; the defaults are SpeechT5's."""

    mask_id: int  # of ``<mask>``
    vocabulary_size: int  # random tokens are drawn from 1 .. vocabulary_size - 1, all symbols but ``<s>``
    word_start_ids: frozenset[int]  # symbols that begin a word
    mask_ratio: float = 0.3  # share of the words that are masked
    poisson_rate: float = 3.5  # mean words of a span
    random_ratio: float = 0.1  # share of the spans that become a random token instead of the mask
    sentinel_ids: tuple[int, ...] = field(default=())  # of T5-like targets, one for each span in order


@dataclass(frozen=True)
class NoisedText:
    """A noised line and what the decoder learns to say."""

    source: Int[Tensor, " token"]
    target: Int[Tensor, " target"]


@dataclass
class _Spans:
    """The word starts chosen to be masked, in the order drawn."""

    starts: Int[Tensor, " span"]  # positions
    words: Int[Tensor, " span"]  # words covered by each, at least 1
    num_inserts: int  # spans of no word: a mask put between two tokens


def whole_word_starts(tokens: Int[Tensor, " token"], word_start_ids: Collection[int]) -> Bool[Tensor, " token"]:
    """True where a word begins; never at the first and last position, which hold ``<s>`` and ``</s>``.

    In a vocabulary of characters a word begins at the word boundary symbol, in one of pieces at those that carry it.
    """
    starts = torch.isin(tokens, torch.tensor(list(word_start_ids), dtype=tokens.dtype))
    starts[:1] = False
    starts[-1:] = False
    return starts


def infill(tokens: Int[Tensor, " token"], config: TextInfilling, generator: torch.Generator) -> NoisedText:
    """Replace spans of whole words by one mask each; draws only from `generator`.

    The number of words to mask is spread over spans of Poisson length; spans of no word become inserted masks. A line
    without words comes back unchanged. With `config.sentinel_ids` the masks are numbered and the target names each
    number and what it stands for, instead of repeating the line.

    Args:
        tokens: ``<s> ... </s>``; left as it is.
        config: how to noise.
        generator: seeded for this line and step.

    Raises:
        VocabularyError: there are more spans than sentinels.
    """
    is_start = whole_word_starts(tokens, config.word_start_ids)
    spans = _draw_spans(is_start, config, generator)
    if spans is None:
        return NoisedText(tokens.clone(), tokens.clone())
    source, is_mask = _replace_starts(tokens, spans, config, generator)
    covered = _cover_words(is_start, spans)
    target = tokens.clone()
    if config.sentinel_ids:
        source, target = _number_masks(tokens, source, is_mask, covered, config.sentinel_ids)
    source = _insert_masks(source[~covered], spans.num_inserts, config, generator)
    return NoisedText(source, target)


def _draw_spans(is_start: Bool[Tensor, " token"], config: TextInfilling, generator: torch.Generator) -> _Spans | None:
    starts = is_start.nonzero()[:, 0]
    # In single precision, as published: 0.3 of 50 words, rounded up, are then 16.
    num_words = math.ceil(is_start.float().sum() * config.mask_ratio)
    if num_words == 0:
        return None
    words = _draw_lengths(num_words, config.poisson_rate, generator)
    num_spans = len(words)
    words = words[words > 0]
    chosen = torch.randperm(len(starts), generator=generator)[: len(words)]
    return _Spans(starts[chosen], words, num_spans - len(words))


def _draw_lengths(num_words: int, rate: float, generator: torch.Generator) -> Int[Tensor, " span"]:
    """Poisson lengths whose sum is `num_words`: the last one is cut."""
    probabilities = _poisson(rate)
    lengths = torch.zeros(0, dtype=torch.int64)
    while int(lengths.sum()) < num_words:
        drawn = torch.multinomial(probabilities, num_words, replacement=True, generator=generator)
        lengths = torch.cat([lengths, drawn])
    ends = lengths.cumsum(dim=0)
    last = int((ends < num_words).sum())
    lengths[last] -= ends[last] - num_words
    return lengths[: last + 1]


@cache
def _poisson(rate: float) -> Tensor:
    """Probabilities of 0, 1, 2, ... up to the first that is below 1e-7."""
    values = [math.exp(-rate)]
    while values[-1] >= 1e-7 and len(values) < 128:
        values.append(values[-1] * rate / len(values))
    probabilities = torch.tensor(values)
    return probabilities / probabilities.sum()


def _replace_starts(
    tokens: Int[Tensor, " token"], spans: _Spans, config: TextInfilling, generator: torch.Generator
) -> tuple[Int[Tensor, " token"], Bool[Tensor, " token"]]:
    """The line with a mask or a random token at each chosen start, and where the masks are."""
    is_random = torch.rand(len(spans.starts), generator=generator) < config.random_ratio
    random_size = (int(is_random.sum()),)
    source, is_mask = tokens.clone(), torch.zeros(len(tokens), dtype=torch.bool)
    source[spans.starts] = config.mask_id
    source[spans.starts[is_random]] = torch.randint(1, config.vocabulary_size, random_size, generator=generator)
    is_mask[spans.starts[~is_random]] = True
    return source, is_mask


def _cover_words(is_start: Bool[Tensor, " token"], spans: _Spans) -> Bool[Tensor, " token"]:
    """True at the tokens that a span swallows: the rest of its first word and its further words, up to the last token.

    The start of a span that lies within another one is swallowed too.
    """
    covered = torch.zeros_like(is_start)
    ends = [*is_start.nonzero()[:, 0].tolist(), len(is_start) - 1]
    for start, words in zip(spans.starts.tolist(), spans.words.tolist(), strict=True):
        end = ends[min(ends.index(start) + words, len(ends) - 1)]
        covered[start + 1 : end] = True
    return covered


def _number_masks(
    tokens: Int[Tensor, " token"],
    source: Int[Tensor, " token"],
    is_mask: Bool[Tensor, " token"],
    covered: Bool[Tensor, " token"],
    sentinel_ids: Sequence[int],
) -> tuple[Int[Tensor, " token"], Int[Tensor, " target"]]:
    """The masks replaced by sentinels in order, and the target: each sentinel, the tokens it hides, and ``</s>``.

    As in the original, a random token hides what it swallows without a sentinel and its own token altogether.
    """
    num_masks = int(is_mask.sum())
    if num_masks > len(sentinel_ids):
        mend = "Give the vocabulary more sentinels, or mask less."
        raise VocabularyError("Too few sentinels", given=f"{len(sentinel_ids)} for {num_masks} spans", mend=mend)
    source = source.clone()
    source[is_mask] = torch.tensor(sentinel_ids[:num_masks], dtype=source.dtype)
    # One column for the sentinel, one for the token; what is not said is dropped.
    pairs = torch.stack([source, tokens], dim=1)
    said = torch.stack([is_mask, is_mask | covered], dim=1)
    return source, torch.cat([pairs[said], tokens[-1:]])


def _insert_masks(
    tokens: Int[Tensor, " token"], num_inserts: int, config: TextInfilling, generator: torch.Generator
) -> Int[Tensor, " longer"]:
    """Put masks, or random tokens for a share of them, at random places between the first and the last token."""
    if num_inserts == 0:
        return tokens
    # As published: the division may round so that one more is inserted.
    num_inserts = math.ceil(len(tokens) * (num_inserts / len(tokens)))
    length = len(tokens) + num_inserts
    places = torch.randperm(length - 2, generator=generator)[:num_inserts] + 1
    num_random = math.ceil(num_inserts * config.random_ratio)
    longer = torch.full((length,), -1, dtype=tokens.dtype)
    longer[places[num_random:]] = config.mask_id
    longer[places[:num_random]] = torch.randint(1, config.vocabulary_size, (num_random,), generator=generator)
    longer[longer == -1] = tokens
    return longer
