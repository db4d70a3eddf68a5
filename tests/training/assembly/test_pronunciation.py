"""Words to learn from: the train part of a lexicon, letters in and phones out."""

from pathlib import Path

import paired_speech
from sprachbund.config import from_mapping
from sprachbund.models.sequence.model import SequenceModel
from sprachbund.tokens.lexicon import load_lexicon, part_of
from sprachbund.tokens.phones import phone_vocabulary
from sprachbund.training.assembly.assemble import assemble
from sprachbund.training.text_recipes import PronunciationRecipe


def test_words_are_learned_and_held_out_by_their_part(tmp_path: Path) -> None:
    plain = paired_speech.pronunciation_recipe(tmp_path, valid_clips=5)
    told: list[str] = []
    assembly = assemble(from_mapping(PronunciationRecipe, plain, "test"), told.append)
    lexicon = load_lexicon(plain["words"]["lexicon"])
    pairs = {pair.id: pair for plan in assembly.streams["words"].plans(0) for pair in plan}
    assert {part_of(word) for word in pairs} == {"train"}
    assert set(pairs) == {word for word, _ in lexicon.part("train")}
    held_out = [word for micro in assembly.held_out for word in micro["words"].ids]
    assert 0 < len(held_out) <= 5 and {part_of(word) for word in held_out} == {"dev"}
    assert told == [f"{len(pairs)} words to learn from, {len(lexicon.part('dev'))} to validate on."]
    # Letters in front of which the word mark stands, and the phones of the usual pronunciation.
    assert assembly.tokenizer is not None
    phones = phone_vocabulary(places=False)
    for word, pair in pairs.items():
        assert assembly.tokenizer.decode(pair.source) == word
        assert tuple(map(phones.symbol_of, pair.target)) == lexicon.of(word)[0]
    assert isinstance(assembly.model, SequenceModel)
    assert assembly.model.config.num_targets == len(phones)
    assert assembly.facts["lexicon_fingerprint"] == lexicon.fingerprint
    assert assembly.facts["words"] == len(pairs)
