import json
from pathlib import Path

import pytest
from lhotse.supervision import AlignmentItem
from typer.testing import CliRunner, Result

import tiny
from data.phonemes.spelling import LEXICON
from sprachbund.cli.tokens import app
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.text.store import LineStore
from sprachbund.errors import SprachbundError
from sprachbund.tokens.phone_durations import PhoneDurations
from sprachbund.tokens.symbols import SymbolTokenizer
from sprachbund.tokens.text import load_tokenizer


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def lexicon(tmp_path: Path) -> Path:
    path = tmp_path / "lexicon"
    path.write_text(LEXICON)
    return path


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("The cat sat.\n\nthe cat's two\nzorg\nI\n")
    return path


def test_text_becomes_a_line_store(tmp_path: Path, text: Path, lexicon: Path) -> None:
    out = tmp_path / "store"
    options = ("phonemes", text, "--out", out, "--lexicon", lexicon, "--silence", 1, "--word-positions")
    done = run(*options)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "3 of 5 lines",
        f"1 left out: without a word; they are listed in {out / 'rejected.jsonl'}",
        f"1 left out: without a word of the lexicon; they are listed in {out / 'rejected.jsonl'}",
        "0.0% of the words of 3 lines are in no lexicon and are guessed",
    ]
    store = LineStore(out)
    assert store.text("phones", 0) == "SIL DH_B AH_E SIL K_B AE_I T_E SIL S_B AE_I T_E SIL"
    assert [store.text("text", number) for number in range(3)] == ["The cat sat.", "the cat's two", "I"]
    listed = [json.loads(line) for line in (out / "rejected.jsonl").read_text().splitlines()]
    assert [record["line"] for record in listed] == [2, 4]
    again = run(*options)
    assert again.stdout == done.stdout
    assert isinstance(run(*options, "--seed", 1).exception, SprachbundError)


def test_phones_are_repeated_as_they_last(tmp_path: Path, text: Path, lexicon: Path) -> None:
    fixed = tmp_path / "durations.json"
    fixed.write_text('{"frame_shift": 0.02, "default": [3, 0], "phones": {"SIL": [2, 0]}}')
    for name, options in (("measured", ("--durations", fixed)), ("published", ("--repeat",)), ("once", ())):
        done = run("phonemes", text, "--out", tmp_path / name, "--lexicon", lexicon, "--silence", 0, *options)
        assert done.exit_code == 0, done.output
    lengths = {
        name: LineStore(tmp_path / name).lengths("phones").tolist() for name in ("measured", "published", "once")
    }
    assert lengths["once"] == [10, 10, 3]
    assert lengths["measured"] == [28, 28, 7]
    assert lengths["published"][0] > 40
    done = run("phonemes", text, "--out", tmp_path / "short", "--lexicon", lexicon, "--longest", 5)
    assert "2 left out: too long" in done.stdout


def test_shards_are_joined_by_the_last(tmp_path: Path, lexicon: Path) -> None:
    text, out = tmp_path / "text.txt", tmp_path / "store"
    text.write_text("the cat sat\n" * 100)
    first, second = (
        run("phonemes", text, "--out", out, "--lexicon", lexicon, "--shard", shard) for shard in ("1/2", "2/2")
    )
    assert first.stdout.splitlines()[-1] == f"{out} is written when the other shards are done"
    assert second.exit_code == 0
    assert len(LineStore(out)) == 100


def test_other_languages_go_via_espeak(tmp_path: Path) -> None:
    text, out = tmp_path / "text.txt", tmp_path / "store"
    text.write_text("zwei Katzen\n", "utf-8")
    done = run("phonemes", text, "--out", out, "--language", "de", "--via", "espeak", "--silence", 1)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1].endswith(f" symbols in {out / 'tokenizer'}")
    assert LineStore(out).text("phones", 0).count("SIL") == 3
    assert isinstance(load_tokenizer(out / "tokenizer"), SymbolTokenizer)


def test_a_manifest_becomes_one_of_phones(tmp_path: Path, lexicon: Path) -> None:
    manifest, out = tiny.write_corpus(tmp_path / "speech", samples=[16_000, 16_000]), tmp_path / "phones.jsonl.gz"
    cuts = list(read_cuts(manifest))
    cuts[0].supervisions[0].text, cuts[1].supervisions[0].text = "The cat.", "..."
    write_cuts(cuts, manifest)
    done = run("phonemes", manifest, "--out", out, "--lexicon", lexicon)
    assert done.exit_code == 0, done.output
    tokenizer, report = tmp_path / "phones.tokenizer", tmp_path / "phones.rejected.jsonl"
    assert done.stdout.splitlines() == [
        f"1 cuts with phones in {out}; 47 entries in {tokenizer}",
        f"1 left out: without a word; they are listed in {report}",
    ]
    (cut,) = read_cuts(out)
    assert cut.supervisions[0].text == "DH AH K AE T"
    loaded = load_tokenizer(tokenizer)
    assert loaded.decode(loaded.encode(cut.supervisions[0].text)) == cut.supervisions[0].text
    assert [json.loads(line) for line in report.read_text().splitlines()] == [
        {"cut": cuts[1].id, "reason": "without a word"}
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--language", "de"), "--via espeak"),
        (("--language", "klingon", "--via", "espeak"), "does not know this language"),
        (("--via", "espeak", "--lexicon", "cmudict"), "Leave --lexicon"),
        (("--lexicon", "nowhere"), "cannot be read"),
        (("--g2p", "nowhere"), "not a model folder"),
        (("--durations", "nowhere"), "tokens durations"),
        (("--shard", "3/2"), "no such shard"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_options_that_cannot_be_are_refused(tmp_path: Path, text: Path, options: tuple[str, ...], told: str) -> None:
    done = run("phonemes", text, "--out", tmp_path / "store", *options)
    assert isinstance(done.exception, SprachbundError)
    assert told in str(done.exception)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("option", [("--repeat",), ("--silence", "0.5"), ("--longest", "9"), ("--shard", "1/2")])
def test_a_manifest_is_neither_drawn_out_nor_cut_up(tmp_path: Path, lexicon: Path, option: tuple[str, ...]) -> None:
    manifest = tiny.write_corpus(tmp_path / "speech", samples=[16_000])
    done = run("phonemes", manifest, "--out", tmp_path / "out.jsonl.gz", "--lexicon", lexicon, *option)
    assert isinstance(done.exception, SprachbundError)
    assert "line store" in str(done.exception)


def test_pronunciations_are_printed_with_their_source(lexicon: Path) -> None:
    done = run("pronounce", "A", "cat's", "2", "日本", "--lexicon", lexicon)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "a\tAH\tlexicon",
        "a\tEY\tlexicon",
        "cat's\tK AE T S\tlexicon",
        "two\tT UW\tlexicon",
        "日本\t\tnone",
    ]
    guessed = run("pronounce", "zorg", "--lexicon", lexicon).stdout.strip().split("\t")
    assert guessed[0::2] == ["zorg", "guessed"]
    assert guessed[1]


def test_durations_are_measured(tmp_path: Path) -> None:
    manifest, out = tiny.write_corpus(tmp_path / "speech", samples=[16_000]), tmp_path / "durations.json"
    done = run("durations", manifest, "--out", out)
    assert "too few phones" in str(done.exception)
    assert not out.exists()
    cuts = list(read_cuts(manifest))
    items = [AlignmentItem("AH", 0.1, 0.1), AlignmentItem("B", 0.2, 0.3)]
    cuts[0].supervisions[0].alignment = {"phone": items}
    write_cuts(cuts, manifest)
    done = run("durations", manifest, "--out", out, "--rate", 50)
    assert done.stdout.strip() == f"a phone lasts 10.0 labels (std 5.0) at 50 a second, in {out}"
    assert PhoneDurations.load(out).default.mean == 10
