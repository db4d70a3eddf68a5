"""The Debian packages that corpora come from.

``python -m sprachbund.data.corpora.packages NAME...`` only fetches; without names, all packages of all corpora.
"""

import sys
from collections.abc import Sequence

from sprachbund.data.corpora.package_cache import Package, fetch_packages
from sprachbund.errors import EXIT_CODE, CorpusError

STEEL_SKY = Package(
    "beneath-a-steel-sky",
    (
        ("usr/share/scummvm/beneath-a-steel-sky/sky.dnr", 40_780),
        ("usr/share/scummvm/beneath-a-steel-sky/sky.dsk", 72_395_713),
    ),
)
AMAZON_QUEEN = Package(
    "flight-of-the-amazon-queen", (("usr/share/scummvm/flight-of-the-amazon-queen/queen.1c", 54_108_887),)
)


def _asterisk_texts(language: str, size: int) -> Package:
    name = f"asterisk-core-sounds-{language}"
    return Package(name, ((f"usr/share/doc/{name}/core-sounds-{language}.txt.gz", size),))


def _asterisk_sounds(language: str, locale: str, longest: tuple[str, int], count: int) -> Package:
    folder = f"usr/share/asterisk/sounds/{locale}"
    files = ((f"{folder}/{longest[0]}.g722", longest[1]),)
    return Package(f"asterisk-core-sounds-{language}-g722", files, counts=((folder, "*.g722", count),))


ASTERISK_TEXTS = {
    "en": _asterisk_texts("en", 8_558),
    "es": _asterisk_texts("es", 7_921),
    "fr": _asterisk_texts("fr", 9_047),
    "it": _asterisk_texts("it", 9_894),
    "ru": _asterisk_texts("ru", 11_476),
}
ASTERISK_SOUNDS = {
    "en": _asterisk_sounds("en", "en_US_f_Allison", ("conf-adminmenu-162", 167_841), 568),
    "es": _asterisk_sounds("es", "es_MX_f_Allison", ("demo-instruct", 684_890), 527),
    "fr": _asterisk_sounds("fr", "fr_CA_f_June", ("demo-instruct", 565_983), 561),
    "it": _asterisk_sounds("it", "it_IT_m_Carlo", ("demo-instruct", 514_586), 599),
    "ru": _asterisk_sounds("ru", "ru_RU_f_IvrvoiceRU", ("demo-instruct", 590_205), 576),
}

_FILLETS = "usr/share/games/fillets-ng"
FILLETS_TEXTS = Package(
    "fillets-ng-data",
    ((f"{_FILLETS}/script/linux/dialogs_ru.lua", 13_178),),
    wanted=(f"{_FILLETS}/script/*dialogs_*.lua",),
    counts=((f"{_FILLETS}/script", "*dialogs_*.lua", 1104),),
)
FILLETS_SOUNDS = {
    "cs": Package(
        "fillets-ng-data-cs",
        ((f"{_FILLETS}/sound/rush/cs/m-hraje.ogg", 146_916),),
        counts=((f"{_FILLETS}/sound", "*.ogg", 1882),),
    ),
    "nl": Package(
        "fillets-ng-data-nl",
        ((f"{_FILLETS}/sound/computer/nl/poc-v-vyresil.ogg", 83_529),),
        counts=((f"{_FILLETS}/sound", "*.ogg", 1616),),
    ),
}

_STAMPS = "usr/share/tuxpaint/stamps"
TUXPAINT = Package(
    "tuxpaint-stamps-default",
    ((f"{_STAMPS}/symbols/chess/w_4_knight_desc_ro.ogg", 247_609),),
    wanted=(f"{_STAMPS}/*.ogg", f"{_STAMPS}/*.txt"),
    counts=((_STAMPS, "*.ogg", 7858), (_STAMPS, "*.txt", 952)),
)

POCKETSPHINX = Package(
    "pocketsphinx-testdata",
    (("usr/share/pocketsphinx/test/data/cards/005.wav", 112_124),),
    wanted=("usr/share/pocketsphinx/test/data/cards/*", "usr/share/pocketsphinx/test/data/librivox/*"),
    counts=(("usr/share/pocketsphinx/test/data", "*.wav", 10),),
)

WORDNET = Package(
    "wordnet-base",
    (
        ("usr/share/wordnet/data.noun", 15_300_280),
        ("usr/share/wordnet/data.verb", 2_772_517),
        ("usr/share/wordnet/data.adj", 3_155_427),
        ("usr/share/wordnet/data.adv", 516_696),
    ),
)
GCIDE = Package(
    "dict-gcide",
    (("usr/share/dictd/gcide.dict.dz", 13_527_370), ("usr/share/dictd/gcide.index", 3_952_317)),
    wanted=("usr/share/dictd/gcide.*",),
)
ANARCHISM = Package(
    "anarchism",
    (("usr/share/doc/anarchism/html/append31.html", 470_743),),
    wanted=("usr/share/doc/anarchism/html/*.html",),
    counts=(("usr/share/doc/anarchism/html", "*.html", 143),),
)

_SWORD = "usr/share/sword/modules/texts/ztext"
WEB_BIBLE = Package(
    "sword-text-web",
    ((f"{_SWORD}/engWEB2015eb/ot.bzz", 3_063_793), (f"{_SWORD}/engWEB2015eb/nt.bzz", 832_969)),
)
SPARV_BIBLE = Package(
    "sword-text-sparv",
    ((f"{_SWORD}/spaRV1909eb/ot.bzz", 1_924_606), (f"{_SWORD}/spaRV1909eb/nt.bzz", 714_667)),
)

_LOCALES = "usr/share/games/wesnoth/1.16/locale"
WESNOTH_LANGUAGES = ("de", "es", "fr", "it", "ru", "sv", "pt", "cs", "nl")
WESNOTH = Package(
    "wesnoth-1.16-data",
    ((f"{_LOCALES}/de/LC_MESSAGES/wesnoth-units.mo", 325_984),),
    wanted=tuple(f"{_LOCALES}/{language}/LC_MESSAGES/wesnoth*.mo" for language in WESNOTH_LANGUAGES),
    counts=tuple((f"{_LOCALES}/{language}", "*.mo", 9) for language in WESNOTH_LANGUAGES),
)

PACKAGES: dict[str, Package] = {
    package.name: package
    for package in (
        STEEL_SKY,
        AMAZON_QUEEN,
        *ASTERISK_TEXTS.values(),
        *ASTERISK_SOUNDS.values(),
        FILLETS_TEXTS,
        *FILLETS_SOUNDS.values(),
        TUXPAINT,
        POCKETSPHINX,
        WORDNET,
        GCIDE,
        ANARCHISM,
        WEB_BIBLE,
        SPARV_BIBLE,
        WESNOTH,
    )
}


def main(names: Sequence[str]) -> int:
    """Fetch the named packages, or all, one after the other; what cannot be had is told; the exit status."""
    unknown = [name for name in names if name not in PACKAGES]
    if unknown:
        error = CorpusError("unknown package", given=", ".join(unknown), mend=f"Known: {', '.join(PACKAGES)}.")
        sys.stderr.write(f"{error}\n")
        return EXIT_CODE
    status = 0
    for name in names or PACKAGES:
        try:
            sys.stdout.write(f"{name}: {fetch_packages([PACKAGES[name]])[name]}\n")
        except CorpusError as error:
            sys.stderr.write(f"{error}\n")
            status = EXIT_CODE
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
