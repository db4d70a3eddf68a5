"""The table, and downloads by Lhotse's own functions, with a stand-in for the server."""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lhotse.recipes import cmu_arctic, librispeech, libritts, ljspeech, musan, vctk

from sprachbund.cli.main import main
from sprachbund.data.corpora.field.table import FIELD_CORPORA, ROWS
from sprachbund.data.corpora.layout import find_prepared

# Layout of the tree -> (module of Lhotse, server, folder of an archive by its name).
SERVERS: dict[str, tuple[Any, str, Callable[[str], str]]] = {
    "librispeech": (librispeech, "www.openslr.org/resources/12/", "LibriSpeech/{}".format),
    "libritts": (libritts, "www.openslr.org/resources/60/", "LibriTTS/{}".format),
    "ljspeech": (ljspeech, "data.keithito.com/data/speech/", "{}".format),
    "vctk-0.80": (vctk, "www.udialogue.org/download/", "{}".format),
    "cmu-arctic": (cmu_arctic, "festvox.org/cmu_arctic/packed/", "{}".format),
    "musan": (musan, "www.openslr.org/resources/17/", "{}".format),
}


def test_rows_are_corpora_of_their_own_names() -> None:
    wanted = {
        *("librispeech", "libri-light", "libritts", "ljspeech", "vctk", "cmu-arctic"),
        *("common-voice", "must-c", "covost-2", "voxceleb", "musan"),
    }
    assert [row.name for row in ROWS] == [corpus.name for corpus in FIELD_CORPORA]
    assert {row.name for row in ROWS} == wanted
    assert len(ROWS) == len(wanted)
    for corpus, row in zip(FIELD_CORPORA, ROWS, strict=True):
        assert row.kind in ("speech", "noise")
        assert row.licence
        assert row.description
        assert not corpus.layout.endswith(".")
        assert corpus.home.startswith("http")


def test_rows_prepare_their_corpus(build: Callable[[str], Any], tmp_path: Path) -> None:
    row = next(row for row in ROWS if row.name == "musan")
    assert not row.prepare(tmp_path / "corpora", build("musan").folder, False).was_complete
    assert find_prepared(tmp_path / "corpora/musan") is not None


@pytest.mark.filterwarnings("ignore:Python 3.14 will, by default, filter:DeprecationWarning")
@pytest.mark.parametrize("layout", SERVERS)
def test_archives_are_fetched_and_unpacked_by_lhotse(
    layout: str,
    build: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    tree = build(layout)
    module, server, folder_of = SERVERS[layout]
    fetched: list[str] = []

    def serve(url: str, filename: Path, force_download: bool = False, **_: Any) -> None:
        name = Path(filename).name
        assert url.partition("://")[2] == f"{server}{name}"
        fetched.append(name)
        inside = folder_of(name.partition(".tar")[0])
        # The tree was given either as the folder of the archive or as the one above it.
        origin = next((p for p in (tree.folder / inside, tree.folder.parent / inside) if p.is_dir()), None)
        with tarfile.open(filename, "w:bz2" if name.endswith("bz2") else "w:gz") as archive:
            if origin is not None:
                archive.add(origin, inside)
            else:  # a part that the miniature does not have
                member = tarfile.TarInfo(inside)
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(member)

    monkeypatch.setattr(module, "resumable_download", serve)
    name = layout.removesuffix("-0.80")
    row = next(row for row in ROWS if row.name == name)
    prepared = row.prepare(tmp_path / "corpora", None, False)
    assert {split: counts["cuts"] for split, counts in prepared.description["splits"].items()} == {
        split: len(clips) for split, clips in tree.known.items()
    }
    assert len(fetched) == {"librispeech": 7, "libritts": 7, "cmu-arctic": 18}.get(layout, 1)
    assert prepared.description["source"] == "download"
    assert capfd.readouterr() == ("", "")


def test_the_verb_prepares_a_corpus_and_refuses_another_folder(
    build: Callable[[str], Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tree, root = build("librispeech"), str(tmp_path / "corpora")
    with pytest.raises(SystemExit) as ended:
        main(["corpus", "get", "librispeech", "--from", str(tree.folder), "--root", root])
    out, _ = capfd.readouterr()
    assert ended.value.code == 0
    assert "train-clean-100: 2 cuts" in out
    with pytest.raises(SystemExit) as ended:
        main(["corpus", "get", "ljspeech", "--from", str(tree.folder), "--root", root])
    _, err = capfd.readouterr()
    assert ended.value.code == 2
    assert "this is no unpacked LJSpeech" in err
    assert "metadata.csv and wavs" in err
    assert len(err.strip().splitlines()) == 1
