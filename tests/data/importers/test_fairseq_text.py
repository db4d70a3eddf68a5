import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import importing
from sprachbund.data.importers.fairseq_text import TYPES, Sentences, TokenFile, read_sentences
from sprachbund.errors import DataError, VocabularyError

DICTIONARY = "▁ 9\nh 5\no 3\ni 2\n"  # ids 4 to 7
SENTENCES = ([4, 5, 7, 4, 5, 6, 2], [4, 6, 5, 2], [2], [4, 3, 6, 2])
TEXTS = ["hi ho", "oh", "", "<unk>o"]


def write(
    index: Path, sentences: Sequence[Sequence[int]] = SENTENCES, code: int = 8, documents: int | None = None
) -> Path:
    """The format as it is documented, written from scratch: fairseq's, or Megatron's with documents."""
    kind = np.dtype(TYPES[code])
    sizes = np.array([len(sentence) for sentence in sentences], dtype="<i4")
    places = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype("<i8")[: len(sizes)] * kind.itemsize
    head = b"MMIDIDX\x00\x00" + struct.pack("<QBQ", 1, code, len(sizes))
    tail = b"" if documents is None else np.arange(documents, dtype="<i8").tobytes()
    head += b"" if documents is None else struct.pack("<Q", documents)
    tokens = np.array([token for sentence in sentences for token in sentence], dtype=kind)
    name = index.name.removesuffix(".idx")
    files = {index.name: head + sizes.tobytes() + places.tobytes() + tail, f"{name}.bin": tokens.tobytes()}
    importing.write_files(index.parent, {**files, "dict.txt": DICTIONARY})
    return index


@pytest.mark.parametrize("code", TYPES)
@pytest.mark.parametrize("documents", [None, 0, 3])
def test_every_type_and_both_heads_are_read(tmp_path: Path, code: int, documents: int | None) -> None:
    index = write(tmp_path / "train.idx", code=code, documents=documents)
    assert list(read_sentences(index)) == TEXTS
    assert len(TokenFile.open(index)) == 4


def test_splits_become_lines_of_text(tmp_path: Path) -> None:
    write(tmp_path / "data" / "train.idx")
    write(tmp_path / "data" / "valid.idx", SENTENCES[:1])
    train, valid = importing.run("fairseq-text", tmp_path / "data", tmp_path / "out")
    assert (train.counts, train.notes) == ("3 lines, 4 words", ("left out: 1 without a text (sentence 3)",))
    assert train.path.read_text("utf-8") == "hi ho\noh\n<unk>o\n"
    assert valid.path.read_text("utf-8") == "hi ho\n"
    [only] = importing.run("fairseq-text", tmp_path / "data", tmp_path / "out2", splits=("valid",))
    assert only.path == tmp_path / "out2" / "valid.txt"


def test_a_dictionary_of_the_language_comes_first(tmp_path: Path) -> None:
    index = write(tmp_path / "train.en-de.de.idx", SENTENCES[:2])
    importing.write_files(tmp_path, {"dict.de.txt": "a 1\nb 1\nc 1\nd 1\n"})
    assert list(read_sentences(index)) == ["a b d a b c", "a c b"]


def test_tokens_are_mapped_and_not_loaded(tmp_path: Path) -> None:
    index = write(tmp_path / "train.idx", [[4, 5] * 50_000] * 20)
    opened = TokenFile.open(index)
    assert isinstance(opened.tokens, np.memmap)
    assert sum(len(sentence) for sentence in opened) == 2_000_000


def damaged(path: Path, change: str) -> None:
    content = path.read_bytes()
    changes = {
        "empty": b"",
        "short head": content[:20],
        "short": content[:-5],
        "long": content + b"\0",
        "old": b"TNTIDX\x00\x00" + content,
        "version": content[:9] + struct.pack("<Q", 2) + content[17:],
        "type": content[:17] + b"\x06" + content[18:],
        "count": content[:18] + struct.pack("<Q", 1 << 60) + content[26:],
        "negative size": content[:26] + struct.pack("<i", -1) + content[30:],
        "place": content[:-8] + struct.pack("<q", 1 << 40),
    }
    path.write_bytes(changes[change])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("empty", "no index of fairseq"),
        ("short head", "no index of fairseq"),
        ("short", "cut short .*bytes for 4 sentences"),
        ("long", "cut short"),
        ("old", "old format"),
        ("version", "unknown kind .*version 2, type 8"),
        ("type", "unknown kind .*version 1, type 6"),
        ("count", "cut short"),
        ("negative size", "do not go together"),
        ("place", "do not go together"),
    ],
)
def test_a_damaged_index(tmp_path: Path, change: str, told: str) -> None:
    damaged(write(tmp_path / "data" / "train.idx"), change)
    with pytest.raises(DataError, match=told):
        importing.run("fairseq-text", tmp_path / "data", tmp_path / "out")
    assert not list(tmp_path.rglob("*.txt*"))[1:]


def test_a_negative_size_among_places_that_fit(tmp_path: Path) -> None:
    index = write(tmp_path / "train.idx", [[4, 5, 6], [4], [5]])
    content = bytearray(index.read_bytes())
    content[26:] = struct.pack("<3i3q", 7, -3, 1, 0, 14, 8)
    index.write_bytes(content)
    with pytest.raises(DataError, match="do not go together"):
        list(read_sentences(index))


def test_tokens_that_are_not_those_of_the_index(tmp_path: Path) -> None:
    index = write(tmp_path / "train.idx")
    tokens = index.with_suffix(".bin")
    tokens.write_bytes(tokens.read_bytes()[:-4])
    with pytest.raises(DataError, match=r"given: 14 tokens, the index has 16"):
        list(read_sentences(index))
    tokens.unlink()
    with pytest.raises(DataError, match=r"the tokens cannot be read in .*train.bin"):
        list(read_sentences(index))


def test_tokens_outside_of_the_dictionary(tmp_path: Path) -> None:
    index = write(tmp_path / "train.idx", [[4, 2], [5, 8, 2]])
    with pytest.raises(DataError, match=r"in .*train.bin, sentence 2 \(given: 8, the dictionary has 8\)"):
        list(read_sentences(index))
    with pytest.raises(DataError, match="is not in the dictionary"):
        list(read_sentences(write(tmp_path / "signed.idx", [[-1]], code=3)))
    (tmp_path / "dict.txt").unlink()
    with pytest.raises(VocabularyError, match="the dictionary cannot be read"):
        list(read_sentences(index))


@settings(deadline=None, max_examples=40)
@given(sentences=st.lists(st.lists(st.integers(2, 7), max_size=9), max_size=6), code=st.sampled_from(sorted(TYPES)))
def test_sentences_written_are_sentences_read(
    tmp_path_factory: pytest.TempPathFactory, sentences: list[list[int]], code: int
) -> None:
    index = write(tmp_path_factory.getbasetemp() / "law" / "train.idx", sentences, code)
    assert [sentence.tolist() for sentence in TokenFile.open(index)] == sentences


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_any_bytes_give_text_or_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    index = write(
        tmp_path_factory.getbasetemp() / "fuzz" / "train.idx", documents=data.draw(st.sampled_from([None, 2]))
    )
    content = bytearray(index.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    index.write_bytes(data.draw(st.just(bytes(content[:end])) | st.binary(max_size=80)))
    importing.items_or_error(lambda: read_sentences(index))


def test_sentences_are_reached_by_their_numbers(tmp_path: Path) -> None:
    index = write(tmp_path / "train.idx")
    sentences = Sentences(index)
    assert [sentences.text(number) for number in (3, 0, 2, 1)] == [TEXTS[3], TEXTS[0], TEXTS[2], TEXTS[1]]
    assert (len(sentences), sentences.num_bytes) == (4, 2 * sum(map(len, SENTENCES)))
    assert [path.name for path in sentences.files] == ["train.idx", "train.bin", "dict.txt"]
