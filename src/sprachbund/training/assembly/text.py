"""Lines of text that a recipe names, as token ids and collators."""

from collections.abc import Sequence
from pathlib import Path

from sprachbund.data.batches.collate import TextCollator
from sprachbund.data.batches.text_noise import TextInfilling
from sprachbund.errors import DataError
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.text import TextTokenizer
from sprachbund.training.assembly.parts import Say
from sprachbund.training.recipe import PretrainingRecipe, SpeechConfig, TextConfig


def text_collator(text: TextConfig, tokenizer: TextTokenizer, recipe: PretrainingRecipe) -> TextCollator:
    """Text infilling with the noise of the recipe."""
    noise = TextInfilling(
        mask_id=tokenizer.vocabulary.mask_id,
        # Random tokens are text: neither the mask nor the blank, which come last.
        vocabulary_size=len(tokenizer.vocabulary) - len(tokenizer.vocabulary.added_ids),
        word_start_ids=tokenizer.word_start_ids(),
        mask_ratio=text.mask,
        poisson_rate=text.span,
        random_ratio=text.mask_random,
    )
    return TextCollator(seed=recipe.run.seed, noise=noise, codebook_probability=recipe.masking.codebook)


def text_batch_tokens(recipe: PretrainingRecipe) -> int:
    """Tokens of a text batch: the published share of the samples of a speech batch."""
    assert recipe.text is not None
    seconds = recipe.speech.batch_seconds if recipe.speech else SpeechConfig(train=()).batch_seconds
    return max(recipe.text.max_tokens, int(seconds * SAMPLING_RATE * recipe.text.tokens_per_sample))


def encode_lines(paths: Sequence[Path], config: TextConfig, tokenizer: TextTokenizer, say: Say) -> list[list[int]]:
    """Encoded lines; empty and over-long ones are counted and left out."""
    lines: list[list[int]] = []
    long = 0
    for path in paths:
        for line in _read_lines(path):
            tokens = tokenizer.encode(line)
            if len(tokens) + 2 > config.max_tokens:
                long += 1
            elif tokens:
                lines.append(tokens)
    if long:
        say(f"{long} lines of text are longer than {config.max_tokens} tokens and are left out.")
    if not lines:
        raise DataError("no line of text is left to use", where=", ".join(map(str, paths)))
    return lines


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise DataError("a text file cannot be read", where=path, given=reason, mend="Check the recipe.") from None
