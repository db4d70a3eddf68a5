from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.data.corpora.sky_archive import SkyArchive
from sprachbund.data.corpora.sky_texts import (
    LANGUAGE_SLOTS,
    TRANSLATIONS,
    TextFile,
    prefix_code,
    read_table,
    restore_capital_acute,
    text_file_id,
    to_unicode,
)
from sprachbund.errors import CorpusError

Build = Callable[[Sequence[bytes]], bytes]
TEXTS = st.lists(
    st.lists(st.sampled_from([v for v in prefix_code().values() if v]), max_size=300).map(bytes), max_size=70
)


def test_the_prefix_code_is_complete() -> None:
    words = sorted(prefix_code())
    assert len(words) == 123
    assert sum(Fraction(1, 2 ** len(word)) for word in words) == 1
    assert not any(later.startswith(word) for word, later in pairwise(words))
    assert len(set(prefix_code().values())) == 123


@settings(deadline=None, max_examples=40)
@given(texts=TEXTS)
def test_encoded_texts_are_read_back(texts: list[bytes], build_text_file: Build) -> None:
    file = TextFile(build_text_file(texts), where="here")
    assert len(file) == len(texts)
    assert [file.read(index) for index in range(len(texts))] == texts


def test_texts_that_are_not_there_are_refused(build_text_file: Build) -> None:
    file = TextFile(build_text_file([b"HELLO", b"YES"]), where="here")
    for index in (-1, 2):
        with pytest.raises(CorpusError, match="lacks"):
            file.read(index)


def test_every_cut_is_found(build_text_file: Build) -> None:
    content = build_text_file([b"HELLO THERE", b"X" * 200])
    for keep in range(len(content)):
        with pytest.raises(CorpusError, match="here"):
            TextFile(content[:keep], where="here").read(1)


@pytest.mark.parametrize(("text", "change"), [(b"HELLO", 1), (b"HELLO", -1), (b"X" * 200, 1), (b"X" * 200, -1)])
def test_a_text_must_fill_its_length(text: bytes, change: int, build_text_file: Build) -> None:
    content = bytearray(build_text_file([text, b"MORE TO COME, A LONG TEXT BEHIND IT"]))
    content[8 - 2] += change  # the length of the first text; one block size of two bytes stands in front
    with pytest.raises(CorpusError, match="does not end"):
        TextFile(bytes(content), where="here").read(0)


@settings(deadline=None, max_examples=100)
@given(content=st.binary(max_size=80), index=st.integers(0, 40))
def test_any_bytes_give_a_text_or_the_error(content: bytes, index: int) -> None:
    try:
        assert isinstance(TextFile(content, where="here").read(index), bytes)
    except CorpusError:
        pass


def test_characters_depend_on_the_language() -> None:
    text = b"(+)~\x60"
    assert to_unicode(text, "en-GB") == to_unicode(text, "en-US")
    assert to_unicode(b"gr#(", "de") == "grüß"
    assert to_unicode(b"(encender)", "es") == "(encender)"
    assert to_unicode(b"\x85", "sv") == "å"
    assert to_unicode(b"\x8e", "en-US") == "\ufffd"


def test_portuguese_capitals_get_their_acute() -> None:
    assert restore_capital_acute("a SAíDA é aí, AMíLCAR. í") == "a SAÍDA é aí, AMÍLCAR. í"


def test_real_files_hold_the_known_numbers_of_texts_and_all_end_in_place(real_sky: SkyArchive) -> None:
    counts = Counter()
    for slot, language in enumerate(LANGUAGE_SLOTS):
        for section in range(8):
            file = TextFile(real_sky.read(text_file_id(slot, section)), where=language)
            counts[language] += len(file)
            for index in range(len(file)):
                file.read(index)
    assert counts == dict(zip(LANGUAGE_SLOTS, (5168, 5194, 5194, 5169, 5193, 5190, 5169, 5194), strict=True))


def test_real_texts_are_the_known_ones(real_sky: SkyArchive, facts: Callable[[str], Any]) -> None:
    for sample in facts("steel_sky_samples"):
        for slot, language in enumerate(LANGUAGE_SLOTS):
            file = TextFile(real_sky.read(text_file_id(slot, sample["section"])), where=language)
            assert to_unicode(file.read(sample["index"]), language) == sample["text"][language]


def test_tables_cover_the_languages() -> None:
    assert set(read_table("characters")) == {"en", *TRANSLATIONS}
    assert set(read_table("emphasis")) == {"en", *TRANSLATIONS}
    assert len(read_table("english_choice")["use_language_index_0"]) == 69
