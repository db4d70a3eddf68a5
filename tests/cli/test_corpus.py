from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import importing
import tiny
from commands import assert_refused, run_command
from sprachbund.cli.corpus import app
from sprachbund.data.corpora import registry
from sprachbund.data.corpora.layout import Clip, Origin, Prepared, begin_corpus, find_prepared, finish_speech
from sprachbund.data.corpora.packages import STEEL_SKY
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.errors import CorpusError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def prepare(root: Path, source: Path | None, progress: bool) -> Prepared:
    """Stands for a corpus: needs a source, and is complete the second time."""
    prepared = find_prepared(root / "steel-sky")
    if prepared is not None:
        return prepared
    if source is None:
        raise CorpusError("no source", mend="Pass one.")
    notices = source / "usr/share/doc" / STEEL_SKY.name
    notices.mkdir(parents=True)
    (notices / "copyright").write_text("mine")
    origin = Origin("steel-sky", ("en",), "free", "by me", ((STEEL_SKY, source),), ("copyright",))
    clip = Clip("a", "recordings/a.flac", 16000, 96000, "three words here", "en")
    return finish_speech(begin_corpus(root, "steel-sky"), origin, {"train": [clip]}, {})


@pytest.fixture(autouse=True)
def one_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.CORPORA, "steel-sky", replace(registry.CORPORA["steel-sky"], prepare=prepare))


def test_a_corpus_is_got_once(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    first = run("get", "steel-sky", "--root", tmp_path, "--from", tmp_path / "source")
    assert first.exit_code == 0, first.output
    assert "train: 1 cuts, 0.10 minutes, 3 words" in first.output
    assert "Licence: free" in first.output
    again = run("get", "steel-sky", "--root", tmp_path)
    assert again.exit_code == 0
    assert "nothing to do" in again.output


def test_the_list_says_what_is_there(tmp_path: Path) -> None:
    before = run("list", "--root", tmp_path)
    assert before.exit_code == 0, before.output
    assert "steel-sky" in before.output
    assert "wordnet" in before.output
    assert " yes " not in before.output
    (tmp_path / "source").mkdir()
    run("get", "steel-sky", "--root", tmp_path, "--from", tmp_path / "source")
    assert run("list", "--root", tmp_path).output.count(" yes ") == 1


def test_errors_are_those_of_the_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(run("get", "nonsense", "--root", tmp_path).exception, CorpusError)
    assert isinstance(run("get", "steel-sky", "--root", tmp_path).exception, CorpusError)

    def fill_disk(root: Path, source: Path | None, progress: bool) -> Prepared:
        raise OSError(28, "No space left on device", str(root / "x.flac"))

    changed = replace(registry.CORPORA["steel-sky"], prepare=fill_disk)
    monkeypatch.setitem(registry.CORPORA, "steel-sky", changed)
    result = run("get", "steel-sky", "--root", tmp_path)
    assert isinstance(result.exception, CorpusError)
    assert "No space left" in str(result.exception)


def test_import_tells_what_was_made_and_what_was_left_out(tmp_path: Path) -> None:
    importing.write_wav(tmp_path / "speech" / "a.wav")
    importing.write_wav(tmp_path / "speech" / "b.wav")
    importing.write_files(tmp_path / "speech", {"a.txt": "hello there\n"})
    outcome = run_command("corpus", "import", "folder", tmp_path / "speech", "--out", tmp_path / "out", "--copy")
    assert (outcome.code, outcome.err) == (0, "")
    manifest = tmp_path / "out" / "all.jsonl.gz"
    assert outcome.out == f"all: 1 clips, 0.01 minutes, 2 words in {manifest}\n  left out: 1 without a text (b)\n"
    assert (tmp_path / "out" / "recordings" / "all" / "a.wav").is_file()
    assert "cuts          1" in run_command("info", manifest).out


def test_imports_are_refused_in_a_sentence(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert_refused(
        run_command("corpus", "import", "folders", tmp_path, "--out", out), "unknown format", "Known formats"
    )
    assert_refused(run_command("corpus", "import", "nemo", tmp_path / "no", "--out", out), "the source does not exist")
    importing.write_files(tmp_path, {"data/wav.scp": "a cat a.wav |\n"})
    assert_refused(run_command("corpus", "import", "kaldi", tmp_path / "data", "--out", out), "commands are not run")
    assert_refused(run_command("corpus", "import", "ctm", tmp_path / "data", "--out", out), "--manifest")
    assert not out.exists()


def test_splits_language_manifest_and_column(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        importing.write_wav(tmp_path / "kaldi" / split / "a.wav")
        importing.write_files(tmp_path / "kaldi" / split, {"wav.scp": "a a.wav\n", "text": "a hello\n"})
    options = ("--split", "dev", "--split", "train", "--language", "de")
    outcome = run_command("corpus", "import", "kaldi", tmp_path / "kaldi", "--out", tmp_path / "out", *options)
    assert [line.partition(":")[0] for line in outcome.out.splitlines()] == ["dev", "train"]
    [cut] = read_cuts(tmp_path / "out" / "dev.jsonl.gz")
    assert cut.supervisions[0].language == "de"
    importing.write_files(tmp_path, {"a.ctm": "a 1 0.1 0.1 hello\n"})
    aligned = ("corpus", "import", "ctm", tmp_path / "a.ctm", "--manifest", tmp_path / "out" / "dev.jsonl.gz")
    assert run_command(*aligned, "--out", tmp_path / "aligned").code == 0
    [cut] = read_cuts(tmp_path / "aligned" / "dev.jsonl.gz")
    assert [item.symbol for item in cut.supervisions[0].alignment["word"]] == ["hello"]


def test_export_and_formats(tmp_path: Path) -> None:
    manifest = tiny.write_corpus(tmp_path / "tiny", 3)
    outcome = run_command("corpus", "export", "shar", manifest, "--out", tmp_path / "shar", "--shard-size", 2)
    assert (outcome.code, outcome.out) == (0, f"3 cuts in 2 shards (recording) in {tmp_path / 'shar'}\n")
    again = run_command("corpus", "export", "fairseq", manifest, "--out", tmp_path / "shar")
    assert_refused(again, "holds something already")
    formats = run_command("corpus", "formats").out.splitlines()
    assert [line.split()[:2] for line in formats][::9] == [["import", "folder"], ["import", "huggingface"]]
    assert [line.split()[1] for line in formats if line.startswith("export")] == ["fairseq", "shar", "textgrid", "ctm"]


def test_shards_that_are_none_are_refused() -> None:
    assert_refused(run_command("corpus", "get", "fillets-cs", "--shard", "3/2"), "no such shard")
