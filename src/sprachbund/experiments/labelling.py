"""Unit models and labelled copies of manifests, made once."""

from collections.abc import Sequence
from pathlib import Path

from lhotse import CutSet

from sprachbund.data.frame_reader import FrameReader
from sprachbund.data.storage.fingerprint import file_fingerprint
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.units import attach_units, find_units, fit_units
from sprachbund.experiments.resumable import Stage
from sprachbund.tokens.units import UnitModel


def name_of(manifest: Path) -> str:
    """What the labelled copy of a manifest is called: ``corpora/steel-sky/dev.jsonl.gz`` -> ``steel-sky-dev``."""
    return f"{manifest.resolve().parent.name}-{manifest.name.removesuffix('.gz').removesuffix('.jsonl')}"


def fit_once(
    manifests: Sequence[Path], num_units: int, folder: Path, reader: FrameReader, seed: int, jobs: int, stage: Stage
) -> UnitModel:
    """The unit model of a folder, fitted on manifests unless that is done.

    Args:
        manifests: of the speech.
        num_units: clusters.
        folder: of the unit model.
        reader: of the frames.
        seed: of the choice of frames and the clustering.
        jobs: processes.
        stage: made of the manifests, the frames, the number of units and the seed.
    """
    if stage.is_done(lambda: UnitModel.load(folder).fingerprint):
        return UnitModel.load(folder)
    cuts = CutSet.from_cuts(cut for manifest in manifests for cut in read_cuts(manifest))
    units = fit_units(cuts, num_units, reader=reader, seed=seed, jobs=jobs)
    units.save(folder)
    stage.finish(units.fingerprint)
    return units


def label_once(manifest: Path, path: Path, units: UnitModel, reader: FrameReader, jobs: int, stage: Stage) -> None:
    """Write a copy of a manifest with units, unless that is done; the arrays are in ``units`` beside the copy.

    Args:
        manifest: of the speech.
        path: of the copy.
        units: the unit model.
        reader: of its frames.
        jobs: processes.
        stage: made of the manifest and the unit model.
    """
    cuts, arrays = read_cuts(manifest), path.parent / "units"
    if stage.is_done(lambda: file_fingerprint(path)) and find_units(cuts, units, arrays) is not None:
        return
    write_cuts(attach_units(cuts, units, arrays, reader=reader, jobs=jobs), path)
    stage.finish(file_fingerprint(path))
