"""How often a guess of pronunciations is wrong, on words of a lexicon that it has not learned from."""

from collections.abc import Sequence
from dataclasses import dataclass

from sprachbund.evaluation.error_rates import ErrorCounts, ErrorRate, count_word_errors, error_rate
from sprachbund.tokens.lexicon import Phones
from sprachbund.tokens.pronunciation import Guess


@dataclass(frozen=True)
class PronunciationErrors:
    """The two error rates of a guess, with bootstrap intervals over words."""

    word_error_rate: ErrorRate  # words said in none of the listed ways
    phone_error_rate: ErrorRate  # edits from the nearest listed way, over its phones


def pronunciation_errors(guess: Guess, entries: Sequence[tuple[str, tuple[Phones, ...]]]) -> PronunciationErrors:
    """Compare guesses with all pronunciations that a lexicon lists.

    Args:
        guess: phones for words.
        entries: words and their pronunciations, such as ``lexicon.part("test")``.

    Raises:
        DataError: there is no word.
    """
    guesses = guess([word for word, _ in entries])
    nearest = [_nearest(listed, guessed) for (_, listed), guessed in zip(entries, guesses, strict=True)]
    wrong = [ErrorCounts(int(each.errors > 0), 0, 0, int(each.errors == 0)) for each in nearest]
    return PronunciationErrors(error_rate(wrong), error_rate(nearest))


def _nearest(listed: Sequence[Phones], guessed: Phones) -> ErrorCounts:
    """The edits from the listed pronunciation that needs the fewest; of several the first."""
    heard = " ".join(guessed)
    return min((count_word_errors(" ".join(phones), heard) for phones in listed), key=lambda counts: counts.errors)
