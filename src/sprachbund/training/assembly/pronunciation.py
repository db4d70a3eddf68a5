"""The parts of learning pronunciations from a lexicon."""

from collections.abc import Iterable

from sprachbund.data.batches.batch import Micro
from sprachbund.data.batches.paired import SequenceCollator, TokenPair
from sprachbund.data.example_stream import ExampleStream
from sprachbund.models.sequence.config import SequenceConfig
from sprachbund.models.sequence.model import SequenceModel
from sprachbund.objectives.sequence import SequenceWriting
from sprachbund.tokens.lexicon import Phones, load_lexicon
from sprachbund.tokens.phones import phone_vocabulary
from sprachbund.tokens.pronunciation import LETTERS, letters_of
from sprachbund.tokens.text import CHARACTER_WORD_MARK, CharacterTokenizer
from sprachbund.tokens.vocabulary import Vocabulary
from sprachbund.training.assembly.initial import sized
from sprachbund.training.assembly.parts import Assembly, Say
from sprachbund.training.text_recipes import PronunciationRecipe

STREAM = "words"


def assemble_pronunciation(recipe: PronunciationRecipe, say: Say) -> Assembly:
    """A model from letters to phones, and the words to learn from."""
    lexicon = load_lexicon(recipe.words.lexicon)
    tokenizer = CharacterTokenizer(Vocabulary((CHARACTER_WORD_MARK, *LETTERS)))
    num_phones = len(phone_vocabulary(places=False))
    config = sized(SequenceConfig, recipe.model, vocab_size=len(tokenizer.vocabulary), num_targets=num_phones)
    model = SequenceModel(config)
    pairs, held_out = (_pairs(words, tokenizer) for words in (lexicon.part("train"), lexicon.part("dev")))
    say(f"{len(pairs)} words to learn from, {len(held_out)} to validate on.")
    # From all of the alphabet.
    held_out = held_out[:: -(-len(held_out) // max(1, recipe.run.valid_clips))]
    batch_tokens, collator = recipe.words.batch_tokens, SequenceCollator()
    plans = ExampleStream(held_out, _sizes(held_out), batch_tokens, shuffle=False).plans(0)
    micros: list[Micro] = [{STREAM: collator(plan, 0)} for plan in plans]
    facts = {
        "stage": "pronunciation",
        "lexicon": recipe.words.lexicon,
        "lexicon_fingerprint": lexicon.fingerprint,
        "words": len(pairs),
    }
    stream = ExampleStream(pairs, _sizes(pairs), batch_tokens, seed=recipe.run.seed)
    objective = SequenceWriting(model, recipe.objective)
    return Assembly(objective, model, tokenizer, {STREAM: stream}, {STREAM: collator}, micros, (), facts)


def _pairs(words: Iterable[tuple[str, tuple[Phones, ...]]], tokenizer: CharacterTokenizer) -> list[TokenPair]:
    """Each word with its usual pronunciation: a model that writes one answer learns nothing from two."""
    phones = phone_vocabulary(places=False)
    return [
        TokenPair(word, tuple(tokenizer.encode(letters_of(word))), tuple(phones.ids_of(pronunciations[0])))
        for word, pronunciations in words
    ]


def _sizes(pairs: Iterable[TokenPair]) -> list[int]:
    return [len(pair.source) + len(pair.target) + 1 for pair in pairs]
