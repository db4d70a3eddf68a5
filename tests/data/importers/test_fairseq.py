from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

import importing
from sprachbund.data.batches.collate import speaker_embedding
from sprachbund.data.importers.fairseq import read_split
from sprachbund.data.units import fewest_labels, load_units
from sprachbund.errors import DataError, SprachbundError, VocabularyError
from sprachbund.tokens.vocabulary import Vocabulary

SAMPLES = (16_000, 8_000, 12_345)


def labels(rate: int, short: int = 0) -> list[list[int]]:
    generator = np.random.default_rng(rate)
    return [generator.integers(0, 5, fewest_labels(samples, rate) - short).tolist() for samples in SAMPLES]


def lines(rows: list[list[int]]) -> str:
    return "".join(" ".join(map(str, row)) + "\n" for row in rows)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    rows = []
    for number, samples in enumerate(SAMPLES):
        importing.write_wav(tmp_path / "speech" / "deep" / f"clip{number}.wav", samples, seed=number)
        rows.append(f"deep/clip{number}.wav\t{samples}\n")
    dictionary = "".join(f"{unit} {9 - unit}\n" for unit in range(5))
    files = {"train.tsv": f"{tmp_path}/speech\n{''.join(rows)}", "dict.km.txt": dictionary}
    return importing.write_files(tmp_path / "lists", files)


def test_texts_come_from_the_label_that_is_nearest_to_text(source: Path, tmp_path: Path) -> None:
    ids = ["deep/clip0", "deep/clip1", "deep/clip2"]
    for ending, content in (
        ("ltr", "H I |\nY O U | T H E R E |\n\n"),
        ("txt", "▁hi\n▁you ▁the re\n\n"),
        ("wrd", "Hi.\nYou there?\n\n"),
    ):
        importing.write_files(source, {f"train.{ending}": content})
        [report] = importing.run("fairseq", source, tmp_path / "out")
        assert (report.split, report.notes) == ("train", ("left out: 1 without a text (deep/clip2)",))
        said = importing.texts(importing.imported("fairseq", source, tmp_path / "out"))
        expected = {"ltr": ["HI", "YOU THERE"], "txt": ["hi", "you there"], "wrd": ["Hi.", "You there?"]}[ending]
        assert said == dict(zip(ids, expected, strict=False))
    (tmp_path / "plain").mkdir()
    importing.write_files(tmp_path / "plain", {"dev.tsv": (source / "train.tsv").read_text()})
    assert importing.texts(importing.imported("fairseq", tmp_path / "plain", tmp_path / "out")) == dict.fromkeys(ids)


@pytest.mark.parametrize("rate", [25, 50, 100])
def test_units_become_frame_labels_at_their_rate(source: Path, tmp_path: Path, rate: int) -> None:
    rows = labels(rate)
    importing.write_files(source, {"train.km": lines(rows)})
    cuts = importing.imported("fairseq", source, tmp_path / "out")
    fingerprint = f"km:{Vocabulary.from_fairseq(source / 'dict.km.txt').fingerprint()}"
    assert [load_units(cut, fingerprint).tolist() for cut in cuts.values()] == rows
    assert {cut.custom["units"].frame_shift for cut in cuts.values()} == {1 / rate}
    with pytest.raises(VocabularyError, match="another unit model"):
        load_units(cuts["deep/clip0"], "km:other")


def test_labels_are_places_in_the_dictionary(source: Path, tmp_path: Path) -> None:
    importing.write_files(
        source,
        {
            "dict.phn.txt": "SIL 40\nAH0 7\nB 3\n",
            "train.phn": "".join("SIL B AH0 B".ljust(4) + " SIL" * (n // 160 - 5) + "\n" for n in SAMPLES),
        },
    )
    cuts = importing.imported("fairseq", source, tmp_path / "out")
    found = cuts["deep/clip1"].load_custom("phonemes")
    assert found[:5].tolist() == [0, 2, 1, 2, 0]
    assert cuts["deep/clip1"].custom["phonemes_fingerprint"].startswith("phn:")


def test_a_few_missing_labels_are_filled_up_and_told(source: Path, tmp_path: Path) -> None:
    rows = labels(100, short=2)
    importing.write_files(source, {"train.km": lines(rows)})
    [report] = importing.run("fairseq", source, tmp_path / "out")
    assert report.notes[0].startswith("kept: 3 whose last label was repeated")
    cuts = importing.imported("fairseq", source, tmp_path / "out")
    for cut, row in zip(cuts.values(), rows, strict=True):
        assert cut.load_custom("units").tolist() == [*row, row[-1], row[-1]]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "train.wrd",
            "one\ntwo\n",
            r"not as many as the recordings in .*train.wrd \(given: 2 lines for 3 recordings\)",
        ),
        ("train.wrd", "one\ntwo\nthree\nfour\n", "given: 4 lines for 3 recordings"),
        ("train.id", "one\ntwo\n", "given: 2 lines for 3 recordings"),
        ("train.km", lines(labels(50)[:2]), "given: 2 lines for 3 recordings"),
        (
            "train.km",
            lines([*labels(50)[:2], [1] * 60]),
            r"length of the recording in .*train.km, line 3 .*60 labels, 39",
        ),
        ("train.km", lines([[], *labels(50)[1:]]), "given: 0 labels, 50 expected at 50 a second"),
        ("train.km", lines([[7] * 49, *labels(50)[1:]]), "the label '7' is not in the dictionary in .*km, line 1"),
        ("train.tsv", "a.wav\t100\n", "first line is not the folder"),
        ("train.tsv", "/x\na.wav 100\n", "not a path, a tab and a number of samples in .*train.tsv, line 2"),
        ("train.tsv", "/x\na.wav\tnan\n", "not a path, a tab and a number of samples"),
        ("train.tsv", "/x\na.wav\t-5\n", "not a path, a tab and a number of samples"),
        ("train.tsv", b"/x\na\xff.wav\t5\n", "not UTF-8 in .*train.tsv, line 2"),
        ("train.id", "a\nb\na\n", "share an id in .*train.tsv, line 4"),
    ],
)
def test_malformed_sources(source: Path, tmp_path: Path, name: str, content: str | bytes, told: str) -> None:
    importing.write_files(source, {name: content})
    with pytest.raises(SprachbundError, match=told):
        importing.run("fairseq", source, tmp_path / "out")
    assert not (tmp_path / "out" / "train.jsonl.gz").exists()


def test_units_need_their_dictionary(source: Path, tmp_path: Path) -> None:
    importing.write_files(source, {"train.km": lines(labels(50))})
    (source / "dict.km.txt").unlink()
    with pytest.raises(VocabularyError, match=r"the dictionary cannot be read in .*dict.km.txt"):
        importing.run("fairseq", source, tmp_path / "out")


def test_a_listed_length_that_is_wrong_leaves_the_recording_out(source: Path, tmp_path: Path) -> None:
    importing.write_wav(tmp_path / "speech" / "deep" / "clip1.wav", 8_001)
    [report] = importing.run("fairseq", source, tmp_path / "out")
    assert report.counts.startswith("2 clips")
    assert "deep/clip1: 8001 samples, listed are 8000" in report.notes[0]


def test_the_third_column_is_a_speaker_vector(source: Path, tmp_path: Path) -> None:
    vector = np.arange(8, dtype=np.float32)
    np.save(tmp_path / "speech" / "anna.npy", vector)
    importing.write_files(
        source, {"train.tsv": f"{tmp_path}/speech\ndeep/clip0.wav\t16000\tanna.npy\ndeep/clip1.wav\t8000\tnone.npy\n"}
    )
    [report] = importing.run("fairseq", source, tmp_path / "out")
    assert report.notes == (f"left out: 1 whose speaker vector cannot be read ({tmp_path}/speech/none.npy)",)
    cuts = importing.imported("fairseq", source, tmp_path / "out")
    assert speaker_embedding(cuts["deep/clip0"], 8).tolist() == vector.tolist()


def test_a_folder_may_be_relative_to_its_list(source: Path, tmp_path: Path) -> None:
    listed = (source / "train.tsv").read_text().replace(f"{tmp_path}/speech", "../speech").replace("\n", "\r\n")
    importing.write_files(source, {"train.tsv": listed})
    assert len(importing.imported("fairseq", source, tmp_path / "out")) == 3


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fairseq")


LISTS = importing.contents("/x\n", "a.wav", "\t", "16000", "320\n", "\n", "1 ", "1 1 1\n", "a b |\n")


@settings(deadline=None, max_examples=80)
@given(recordings=LISTS, words=LISTS, units=LISTS, dictionary=LISTS)
def test_any_lists_give_utterances_or_an_error_of_ours(
    place: Path, recordings: bytes, words: bytes, units: bytes, dictionary: bytes
) -> None:
    files = {"a.tsv": recordings, "a.ltr": words, "a.km": units, "dict.km.txt": dictionary}
    importing.write_files(place, files)
    importing.items_or_error(lambda: read_split(place / "a.tsv"))
    (place / "a.km").unlink()
    importing.items_or_error(lambda: read_split(place / "a.tsv"))


def test_errors_are_of_the_data(source: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        importing.run("fairseq", source / "none", source)
