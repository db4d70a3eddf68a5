"""Phones of English words that no dictionary holds, read off their letters: a stand-in for names and made-up words."""

from sprachbund.tokens.normalize import fold_to_ascii

# ARPAbet without stress, the 39 phones of the CMU dictionary.
PHONES = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH", "K",
    "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
LONGEST = 5  # letters of a spelling
# Letters -> phones; the longest spelling that fits is taken. ^ stands for the start of a word, $ for its end.
SPELLINGS = {
    "^kn": "N", "^wr": "R", "^ps": "S", "^x": "Z", "^y": "Y", "^a$": "AH",
    "tion": "SH AH N", "sion": "ZH AH N", "ough": "AO", "augh": "AO", "igh": "AY", "eigh": "EY", "tch": "CH",
    "sch": "S K", "dge": "JH", "ing$": "IH NG", "ies$": "IY Z", "ie$": "IY", "es$": "Z", "ed$": "D", "le$": "AH L",
    "ey$": "IY", "y$": "IY", "e$": "", "mb$": "M", "gh": "G", "ch": "CH", "sh": "SH", "th": "TH", "ph": "F",
    "wh": "W", "ck": "K", "ng": "NG", "nk": "NG K", "qu": "K W", "ce": "S EH", "ci": "S IH", "cy": "S IY",
    "ce$": "S", "ge$": "JH", "ai": "EY", "ay": "EY", "au": "AO", "aw": "AO", "ar": "AA R", "ee": "IY", "ea": "IY",
    "ei": "EY", "eu": "Y UW", "ew": "UW", "er": "ER", "ir": "ER", "ur": "ER", "ie": "IY", "oa": "OW", "oi": "OY",
    "oy": "OY", "oo": "UW", "ou": "AW", "ow": "OW", "or": "AO R", "ue$": "UW", "a$": "AH", "o$": "OW", "i$": "IY",
    "a": "AE", "b": "B", "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH",
    "k": "K", "l": "L", "m": "M", "n": "N", "o": "AA", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T", "u": "AH",
    "v": "V", "w": "W", "x": "K S", "y": "IH", "z": "Z",
}  # fmt: skip


def phones_of_letters(word: str) -> tuple[str, ...]:
    """The phones that the letters of `word` suggest; none where it has no letter of the Latin alphabet.

    Letters are read from left to right, the longest known spelling first; double letters count once.
    """
    letters = "".join(character for character in fold_to_ascii(word.lower()) if "a" <= character <= "z")
    single = "".join(
        letter for place, letter in enumerate(letters) if letter in "eo" or place == 0 or letters[place - 1] != letter
    )
    rest, phones = f"^{single}$" if single else "", list[str]()
    while rest:
        length = next((n for n in range(LONGEST, 0, -1) if len(rest) >= n and rest[:n] in SPELLINGS), 0)
        phones += SPELLINGS[rest[:length]].split() if length else []
        rest = rest[max(length, 1) :]
    # A word is more than silence.
    return tuple(phones) if phones or not single else ("EH",)


def ending_of(phone: str) -> tuple[str, ...]:
    """The sound of 's after `phone`."""
    if phone in ("S", "Z", "SH", "ZH", "CH", "JH"):
        return ("IH", "Z")
    return ("S",) if phone in ("P", "T", "K", "F", "TH") else ("Z",)
