from pathlib import Path

import tiny
from sprachbund.data.storage.fingerprint import file_fingerprint
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.units import MFCC, attach_units, fit_units, load_units
from sprachbund.experiments.labelling import fit_once, label_once, name_of
from sprachbund.experiments.resumable import Stage


def stage(folder: Path, said: list[str]) -> Stage:
    return Stage(folder / "x.stage.json", {}, said.append)


def test_copies_are_named_after_corpus_and_split() -> None:
    assert name_of(Path("corpora/steel-sky/dev.jsonl.gz")) == "steel-sky-dev"
    assert name_of(Path("corpora/steel-sky/../other/a.b.jsonl")) == "other-a.b"


def test_units_are_fitted_once(tmp_path: Path) -> None:
    manifest, said = tiny.write_corpus(tmp_path / "speech", 3), list[str]()
    made = [fit_once([manifest], 4, tmp_path / "units", MFCC, 7, 1, stage(tmp_path, said)) for _ in range(2)]
    assert made[0] == made[1] == fit_units(read_cuts(manifest), 4, seed=7)
    assert [sentence.rpartition(": ")[2] for sentence in said] == ["begins", "already there"]


def test_speech_is_labelled_once_and_again_where_an_array_is_missing(tmp_path: Path) -> None:
    manifest, said, units = tiny.write_corpus(tmp_path / "speech", 3), list[str](), tiny.unit_model()
    path = tmp_path / "labelled" / "speech.jsonl.gz"

    def label() -> str:
        label_once(manifest, path, units, MFCC, 1, stage(tmp_path, said))
        return file_fingerprint(path)

    first = label()
    wanted = attach_units(read_cuts(manifest), units, tmp_path / "other")
    for cut, other in zip(read_cuts(path), wanted, strict=True):
        assert load_units(cut, units.fingerprint).tolist() == load_units(other, units.fingerprint).tolist()
    arrays = sorted((path.parent / "units").rglob("*.npy"))
    written = path.stat().st_mtime_ns
    assert label() == first and path.stat().st_mtime_ns == written
    arrays[1].unlink()
    assert label() == first and arrays[1].exists()
