from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse.cut import Cut

import importing
import tiny
from sprachbund.data.exporters.fairseq import export_fairseq
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.errors import DataError, VocabularyError
from sprachbund.signal.audio import probe_audio


def by_id(manifest: Path) -> dict[str, Cut]:
    return {cut.id: cut for cut in read_cuts(manifest)}


def assert_same(cuts: dict[str, Cut], others: dict[str, Cut]) -> None:
    """Order, ids, texts, lengths, samples and units."""
    assert list(cuts) == list(others)
    assert importing.texts(cuts) == importing.texts(others)
    for cut, other in zip(cuts.values(), others.values(), strict=True):
        assert cut.duration == other.duration
        assert np.array_equal(read_waveform(cut), read_waveform(other))
        assert ("units" in (cut.custom or {})) == ("units" in (other.custom or {}))
        if "units" in (cut.custom or {}):
            assert np.array_equal(cut.load_custom("units"), other.load_custom("units"))


def test_what_is_exported_is_imported(tmp_path: Path) -> None:
    units = tiny.unit_model()
    manifests = [tiny.write_corpus(tmp_path / name, 4, units=units, name=name) for name in ("train", "dev")]
    told = export_fairseq(manifests, tmp_path / "fairseq")
    assert told == "train: 4 recordings (texts, units); dev: 4 recordings (texts, units)"
    reports = importing.run("fairseq", tmp_path / "fairseq", tmp_path / "again")
    assert {report.split: report.notes for report in reports} == {"train": (), "dev": ()}
    for manifest in manifests:
        assert_same(by_id(manifest), by_id(tmp_path / "again" / manifest.name))
    # Recordings are named where they lie.
    assert not (tmp_path / "fairseq" / "audio").exists()


def test_the_files_are_as_fairseq_wants_them(tmp_path: Path) -> None:
    manifest = tiny.write_corpus(tmp_path / "tiny", 3, units=tiny.unit_model())
    export_fairseq([manifest], tmp_path / "out")
    root, *rows = (tmp_path / "out" / "clip.tsv").read_text().splitlines()
    assert Path(root) == tmp_path / "tiny" / "audio"
    assert [row.split("\t")[1] for row in rows] == [
        str(probe_audio(Path(root) / row.split("\t")[0]).num_samples) for row in rows
    ]
    assert (tmp_path / "out" / "clip.wrd").read_text() == "ab\nba c\ncab\n"
    assert (tmp_path / "out" / "clip.ltr").read_text() == "a b |\nb a | c |\nc a b |\n"
    assert (tmp_path / "out" / "dict.ltr.txt").read_text() == "| 4\na 3\nb 3\nc 2\n"
    units = (tmp_path / "out" / "clip.km").read_text().split()
    dictionary = [line.split(" ") for line in (tmp_path / "out" / "dict.km.txt").read_text().splitlines()]
    assert [symbol for symbol, _ in dictionary] == [str(unit) for unit in range(max(map(int, units)) + 1)]
    assert all(int(count) == units.count(symbol) for symbol, count in dictionary)


def test_units_that_do_not_occur_keep_their_place(tmp_path: Path) -> None:
    importing.write_wav(tmp_path / "a.wav", 16_000)
    files = {"x.tsv": f"{tmp_path}\na.wav\t16000\n", "x.km": "4 " * 30 + "0 " * 19 + "\n"}
    importing.write_files(tmp_path / "km", {**files, "dict.km.txt": "".join(f"{unit} 1\n" for unit in range(9))})
    importing.run("fairseq", tmp_path / "km", tmp_path / "listed")
    export_fairseq([tmp_path / "listed" / "x.jsonl.gz"], tmp_path / "out")
    assert (tmp_path / "out" / "dict.km.txt").read_text() == "0 19\n1 0\n2 0\n3 0\n4 30\n"
    assert_same(
        by_id(tmp_path / "listed" / "x.jsonl.gz"), importing.imported("fairseq", tmp_path / "out", tmp_path / "again")
    )


def test_a_cut_that_begins_later_is_no_whole_recording(tmp_path: Path) -> None:
    [whole] = tiny.make_cuts(tmp_path / "tiny", samples=[16_000])
    whole.start = 0.02
    write_cuts([whole], tmp_path / "late.jsonl")
    export_fairseq([tmp_path / "late.jsonl"], tmp_path / "out")
    assert (tmp_path / "out" / "audio" / "late" / "clip-000.flac").is_file()
    assert (tmp_path / "out" / "late.tsv").read_text().endswith("clip-000.flac\t15680\n")


def test_parts_and_other_rates_become_files(tmp_path: Path) -> None:
    [whole] = tiny.make_cuts(tmp_path / "tiny", samples=[16_000])
    slow = importing.write_wav(tmp_path / "slow" / "slow.wav", 8_000, rate=8_000)
    [other] = importing.imported("folder", slow.parent, tmp_path / "listed").values()
    part = whole.truncate(offset=0.25, duration=0.5).with_id("a/../part of it")
    write_cuts([part, whole.drop_supervisions(), other], tmp_path / "mixed.jsonl.gz")
    with pytest.raises(DataError, match=r"not every cut has a transcript in mixed \(given: 1 of 3\)"):
        export_fairseq([tmp_path / "mixed.jsonl.gz"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    write_cuts([cut.drop_supervisions() for cut in (part, whole, other)], tmp_path / "mixed.jsonl.gz")
    assert export_fairseq([tmp_path / "mixed.jsonl.gz"], tmp_path / "out") == "mixed: 3 recordings (no labels)"
    again = importing.imported("fairseq", tmp_path / "out", tmp_path / "again")
    before = by_id(tmp_path / "mixed.jsonl.gz")
    # Resampled speech is rounded to 16 bits.
    assert np.abs(read_waveform(again["slow"]) - read_waveform(before.pop("slow"))).max() <= 0.5 / 32768
    assert again.pop("slow").sampling_rate == 16_000
    assert_same(before, again)
    written = sorted(path.name for path in (tmp_path / "out" / "audio" / "mixed").iterdir())
    assert written == ["a%2F..%2Fpart of it.flac", "slow.flac"]


def test_what_the_lists_cannot_say_is_refused(tmp_path: Path) -> None:
    [cut] = tiny.make_cuts(tmp_path / "tiny", 1)
    write_cuts([cut.with_id("a\tb")], tmp_path / "tab.jsonl")
    with pytest.raises(DataError, match="a name holds a tab"):
        export_fairseq([tmp_path / "tab.jsonl"], tmp_path / "out")
    (tmp_path / "again").mkdir()
    write_cuts([cut], tmp_path / "again" / "tab.jsonl")
    with pytest.raises(DataError, match="two manifests have one name"):
        export_fairseq([tmp_path / "tab.jsonl", tmp_path / "again" / "tab.jsonl"], tmp_path / "out")
    labelled = [
        tiny.write_corpus(tmp_path / name, 1, units=tiny.unit_model(seed=seed), name=name)
        for seed, name in enumerate("xy")
    ]
    with pytest.raises(VocabularyError, match="units of several unit models"):
        export_fairseq(labelled, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("law")
    tiny.write_corpus(folder, 2)
    return folder


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=12)


@settings(deadline=None, max_examples=30)
@given(names=st.lists(WORDS.filter(str.strip), min_size=2, max_size=2, unique=True), said=WORDS.filter(str.strip))
def test_any_text_and_id_comes_back(
    place: Path, tmp_path_factory: pytest.TempPathFactory, names: list[str], said: str
) -> None:
    cuts = []
    for cut, name in zip(read_cuts(place / "clip.jsonl.gz"), names, strict=True):
        cut.supervisions[0].text = said.strip()
        cuts.append(cut.with_id(name))
    folder = tmp_path_factory.mktemp("round")
    write_cuts(cuts, folder / "x.jsonl")
    export_fairseq([folder / "x.jsonl"], folder / "out")
    again = importing.imported("fairseq", folder / "out", folder / "again")
    assert importing.texts(again) == dict.fromkeys(names, said.strip())
