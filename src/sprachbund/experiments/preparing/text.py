"""The stages of text: lines as they are spoken, the tokenizer, and the pairs of units and letters."""

from collections.abc import Mapping

from sprachbund.data.phonemes.lines import Drawing, Phonemization
from sprachbund.data.phonemes.reading import PHONES_FIELD, LexiconReading
from sprachbund.data.text.blocks import Work, transform_lines
from sprachbund.data.text.encoding import tokenizer_fingerprint
from sprachbund.data.text.lines import DEFAULT_FIELD, each_line
from sprachbund.data.text.normalized import NormalizedText
from sprachbund.data.text.sources import open_text
from sprachbund.data.text.store import LineStore
from sprachbund.data.text.unit_lines import UnitSource, paired_lines
from sprachbund.decoding.phones.pronouncing import load_guess
from sprachbund.errors import DataError
from sprachbund.experiments.preparing.workshop import PAIRED, TEXT, Workshop
from sprachbund.tokens.text import CharacterTokenizer, load_tokenizer

LEXICON = "cmudict"
LeftOut = dict[str, Mapping[str, int]]
"""Pairs that no training takes: name of the lines -> reason -> how many."""


def normalize_text(shop: Workshop) -> None:
    """Stores of lines as they are spoken, those that are said in held-out speech left out."""
    sources = shop.plan.sources
    training = NormalizedText.without((*sources.valid, *sources.held_out))
    for name, source in shop.texts.items():
        work = NormalizedText.without(()) if shop.is_valid(name) else training
        _transform(shop, source, work, f"{TEXT}/{name}")


def make_tokenizer(shop: Workshop) -> None:
    """The tokenizer that was given, or one of the letters of the text to train on."""
    given = shop.plan.tokenizer
    stores = [LineStore(shop.text(name)) for name in shop.texts if not shop.is_valid(name)]
    made_of = {
        "given": None if given is None else tokenizer_fingerprint(given),
        "text": [store.fingerprint for store in stores],
    }
    stage = shop.stage("tokenizer", made_of)
    if stage.is_done(lambda: tokenizer_fingerprint(shop.tokenizer)):
        return
    if given is None:
        sources = (open_text(f"{store.folder}#{DEFAULT_FIELD}") for store in stores)
        CharacterTokenizer.train(line.text for source in sources for line in each_line(source)).save(shop.tokenizer)
    else:
        load_tokenizer(given).save(shop.tokenizer)
    stage.finish(tokenizer_fingerprint(shop.tokenizer))


def reading_of(*, word_positions: bool) -> LexiconReading:
    """How English text is read.

    Raises:
        VocabularyError: no package with the lexicon is installed.
    """
    return LexiconReading(lexicon=LEXICON, guess=load_guess(), word_places=word_positions)


def make_phones(shop: Workshop, drawing: Drawing, reading: LexiconReading, part: str) -> None:
    """The phones of all lines, in stores of the folder `part`."""
    for name in shop.texts:
        store = _transform(
            shop, f"{shop.text(name)}#{DEFAULT_FIELD}", Phonemization(reading, drawing), f"{part}/{name}"
        )
        for sentence in reading.finish(store):
            shop.say(f"{name}: {sentence}")


def make_units(shop: Workshop, work: Work, part: str) -> None:
    """What `work` makes of the phones in the folder `part`, as pairs of units and text."""
    for name in shop.texts:
        _transform(shop, f"{shop.out / part / name}#{PHONES_FIELD}", work, f"{PAIRED}/{name}")


def count_pairs(shop: Workshop, field: str) -> LeftOut:
    """Tell how many pairs no training can take, such as those of fewer units than letters.

    Raises:
        DataError: there is no other pair in a store to train on.
    """
    left_out: LeftOut = {}
    for name in shop.texts:
        source = UnitSource(store=shop.paired(name), field=field)
        made = paired_lines(source, shop.tokenizer, jobs=shop.plan.jobs)
        left_out[name] = made.left_out
        total = len(made.lines) + sum(made.left_out.values())
        for reason, count in sorted(made.left_out.items()):
            shop.say(f"{name}: training leaves out {count} of {total} pairs: {reason}")
        if not len(made.lines) and not shop.is_valid(name):
            raise DataError(
                "no pair of units and text can be trained on",
                where=shop.paired(name),
                given="; ".join(f"{count}: {reason}" for reason, count in sorted(made.left_out.items())),
                mend="Look at the text, and at how well the text-to-unit model was trained.",
            )
    return left_out


def _transform(shop: Workshop, source: str, work: Work, place: str) -> LineStore:
    outcome = transform_lines(source, work, shop.out / place, jobs=shop.plan.jobs)
    assert outcome.store is not None, "there are no shards"
    for sentence in outcome.sentences():
        shop.say(f"{place}: {sentence}")
    return outcome.store
