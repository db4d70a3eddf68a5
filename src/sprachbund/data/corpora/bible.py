"""bible: the World English Bible and the Reina-Valera of 1909, by verse: parallel text and a text stream."""

from collections.abc import Sequence
from pathlib import Path

from sprachbund.data.corpora.layout import Origin
from sprachbund.data.corpora.package_cache import fetch_packages
from sprachbund.data.corpora.packages import SPARV_BIBLE, WEB_BIBLE
from sprachbund.data.corpora.splits import assign_by_checksum
from sprachbund.data.corpora.sword import Verse, read_verses
from sprachbund.data.corpora.text_corpus import PairedText, Text, text_corpus

NAME = "bible"
LICENCE = "public domain"
ATTRIBUTION = (
    "Verses of the World English Bible (eBible.org; changed texts may not bear its name) and of the Reina-Valera of "
    "1909."
)

_MODULES = "usr/share/sword/modules/texts/ztext"
_ENGLISH, _SPANISH = "engWEB2015eb", "spaRV1909eb"
_SPLIT_PARTS = 50
# The books of both, as the split names them; a number in front is Roman there.
_BOOKS = {
    "Gen": "Genesis", "Exod": "Exodus", "Lev": "Leviticus", "Num": "Numbers", "Deut": "Deuteronomy", "Josh": "Joshua",
    "Judg": "Judges", "Ruth": "Ruth", "Sam": "Samuel", "Kgs": "Kings", "Chr": "Chronicles", "Ezra": "Ezra",
    "Neh": "Nehemiah", "Esth": "Esther", "Job": "Job", "Ps": "Psalms", "Prov": "Proverbs", "Eccl": "Ecclesiastes",
    "Song": "Song of Solomon", "Isa": "Isaiah", "Jer": "Jeremiah", "Lam": "Lamentations", "Ezek": "Ezekiel",
    "Dan": "Daniel", "Hos": "Hosea", "Joel": "Joel", "Amos": "Amos", "Obad": "Obadiah", "Jonah": "Jonah",
    "Mic": "Micah", "Nah": "Nahum", "Hab": "Habakkuk", "Zeph": "Zephaniah", "Hag": "Haggai", "Zech": "Zechariah",
    "Mal": "Malachi", "Matt": "Matthew", "Mark": "Mark", "Luke": "Luke", "John": "John", "Acts": "Acts",
    "Rom": "Romans", "Cor": "Corinthians", "Gal": "Galatians", "Eph": "Ephesians", "Phil": "Philippians",
    "Col": "Colossians", "Thess": "Thessalonians", "Tim": "Timothy", "Titus": "Titus", "Phlm": "Philemon",
    "Heb": "Hebrews", "Jas": "James", "Pet": "Peter", "Jude": "Jude", "Rev": "Revelation of John",
}  # fmt: skip


def split_name(book: str, chapter: int) -> str:
    """The key of a chapter in the split, such as ``I Samuel 3``; books of one Bible only keep their abbreviation."""
    number = int(book[0]) if book[0].isdigit() else 0
    name = _BOOKS.get(book[1:] if number else book, book)
    return f"{'I' * number} {name} {chapter}".strip()


def pair_verses(english: Sequence[Verse], spanish: Sequence[Verse]) -> dict[str, list[tuple[str, str]]]:
    """Verses that both Bibles have in train, dev and test, by the checksum of their chapter."""
    translations = {verse.place: verse.text for verse in spanish}
    splits: dict[str, list[tuple[str, str]]] = {"train": [], "dev": [], "test": []}
    for verse in english:
        if verse.place in translations:
            splits[split_of(verse)].append((verse.text, translations[verse.place]))
    return splits


def split_of(verse: Verse) -> str:
    """Train, dev or test."""
    return assign_by_checksum(split_name(verse.book, verse.chapter), _SPLIT_PARTS)


def read(source: Path | None) -> Text:
    """The corpus in its packages, which `fetch_packages` finds with `source`.

    Raises:
        CorpusError: the packages cannot be had, or are damaged.
    """
    unpacked = fetch_packages([WEB_BIBLE, SPARV_BIBLE], source)
    english = read_verses(unpacked[WEB_BIBLE.name] / _MODULES / _ENGLISH)
    spanish = read_verses(unpacked[SPARV_BIBLE.name] / _MODULES / _SPANISH)
    paired = [PairedText(split, ("en", "es"), pairs) for split, pairs in pair_verses(english, spanish).items()]
    packages = tuple((package, unpacked[package.name]) for package in (WEB_BIBLE, SPARV_BIBLE))
    origin = Origin(NAME, ("en", "es"), LICENCE, ATTRIBUTION, packages, ("copyright",))
    stream = [verse.text for verse in english if split_of(verse) == "train"]
    counts = {"verses_en": len(english), "verses_es": len(spanish)}
    return Text(origin, stream, paired, counts)


CORPUS = text_corpus(
    read,
    name=NAME,
    languages=("en", "es"),
    licence=LICENCE,
    description="Verses in English and Spanish, as parallel text and for text pre-training",
)
