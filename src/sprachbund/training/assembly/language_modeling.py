"""The parts of learning a language model from lines of text."""

from sprachbund.data.batches.batch import Micro
from sprachbund.data.batches.text_lines import TextLinesCollator
from sprachbund.data.streams import TextStream
from sprachbund.data.text.memory import TOKENS
from sprachbund.models.language_model.config import TransformerLanguageConfig
from sprachbund.models.language_model.model import TransformerLanguageModel
from sprachbund.objectives.language_modeling import LanguageModeling
from sprachbund.tokens.text import load_tokenizer
from sprachbund.training.assembly.initial import sized
from sprachbund.training.assembly.parts import Assembly, Say
from sprachbund.training.assembly.text import encode_lines, first_lines
from sprachbund.training.text_recipes import LanguageModelRecipe

STREAM = "text"


def assemble_language_modeling(recipe: LanguageModelRecipe, say: Say) -> Assembly:
    """A language model, and the lines to learn from."""
    text, jobs = recipe.text, max(1, recipe.run.loader_workers)
    tokenizer, collator = load_tokenizer(recipe.tokenizer), TextLinesCollator()
    config = sized(TransformerLanguageConfig, recipe.model, vocab_size=len(tokenizer.vocabulary))
    model = TransformerLanguageModel(config)
    lines = encode_lines(text.train, text.max_tokens, recipe.tokenizer, say, jobs=jobs)
    say(f"{len(lines)} lines of {lines.num_items(TOKENS)} tokens to learn from.")
    held_out: list[Micro] = []
    if text.valid:
        valid = encode_lines(text.valid, text.max_tokens, recipe.tokenizer, say, jobs=jobs)
        plans = TextStream(first_lines(valid, recipe.run.valid_clips), text.batch_tokens, shuffle=False).plans(0)
        held_out = [{STREAM: collator(plan, 0)} for plan in plans]
    facts = {"stage": "language modeling", "lines": len(lines), "tokens": lines.num_items(TOKENS)}
    stream = TextStream(lines, text.batch_tokens, seed=recipe.run.seed)
    return Assembly(
        LanguageModeling(model), model, tokenizer, {STREAM: stream}, {STREAM: collator}, held_out, (), facts
    )
