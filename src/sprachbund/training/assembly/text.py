"""Lines of text that a recipe names, as token ids and collators."""

from collections.abc import Sequence
from pathlib import Path

from sprachbund.data.batches.collate import TextCollator
from sprachbund.data.batches.text_noise import TextInfilling
from sprachbund.data.text.encoding import TextEncoding, made_lines
from sprachbund.data.text.memory import TOKENS, ChainedLines, IdLines
from sprachbund.errors import DataError
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.text import TextTokenizer
from sprachbund.training.assembly.parts import Say
from sprachbund.training.speech_recipes import PretrainingRecipe, SpeechConfig, TextConfig


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


def encode_lines(sources: Sequence[Path], max_tokens: int, tokenizer: Path, say: Say, *, jobs: int = 1) -> IdLines:
    """Encoded lines, in memory or on the disk; empty and over-long ones are counted and left out.

    Args:
        sources: as `open_text` takes them.
        max_tokens: of a line, sentence marks included.
        tokenizer: its folder.
        say: told of what is left out.
        jobs: processes for large sources.

    Raises:
        DataError: a source or a line of it cannot be read, or nothing is left.
    """
    encoding = TextEncoding(tokenizer, max_tokens)
    made = [made_lines(source, encoding, jobs=jobs) for source in sources]
    for reason in sorted({reason for part in made for reason in part.left_out}):
        say(f"{sum(part.left_out.get(reason, 0) for part in made)} lines of text are {reason} and are left out.")
    lines = ChainedLines([part.lines for part in made])
    if not len(lines):
        raise DataError("no line of text is left to use", where=", ".join(map(str, sources)))
    return lines


def first_lines(lines: IdLines, most: int) -> list[list[int]]:
    """The first lines, to validate on."""
    return [lines.tokens(TOKENS, number).tolist() for number in range(min(most, len(lines)))]
