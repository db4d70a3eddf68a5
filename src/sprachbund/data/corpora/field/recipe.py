"""Running a recipe of Lhotse: in silence, without reading a recording twice, and on a view of a tree with holes.

Recipes end at the first recording they cannot read, and most of them at the first text without a recording. So they
are asked about trees from which such things are taken out, and what is taken out is counted by the caller.
"""

import contextlib
import io
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lhotse.audio import get_current_audio_backend, set_current_audio_backend
from lhotse.audio.backend import AudioBackend, LibsndfileCompatibleAudioInfo

from sprachbund.data.corpora.field.inventory import Inventory
from sprachbund.errors import CorpusError
from sprachbund.signal.audio import AudioInfo

# What recipes are told of a recording that cannot be read; the caller leaves it out.
_STAND_IN = AudioInfo(sampling_rate=16000, num_channels=1, num_samples=16000)


@dataclass(frozen=True)
class View:
    """A folder that looks like a corpus."""

    folder: Path
    corpus: Path  # which it looks like
    links: Mapping[Path, Path]  # paths of the folder to the real ones that they stand for

    def real(self, shown: Path) -> Path:
        """The real path behind one of the view."""
        for place in (shown, *shown.parents):
            if place in self.links:
                return self.links[place] / shown.relative_to(place)
        return shown


@contextmanager
def open_view(corpus: Path, content: Mapping[str, Path | str]) -> Iterator[View]:
    """A temporary folder with links to files or folders of a corpus, and with other texts, by their names in it."""
    with TemporaryDirectory(prefix="sprachbund-") as name:
        folder, links = Path(name), {}
        for inside, origin in content.items():
            path = folder / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(origin, Path):
                path.symlink_to(origin.resolve())
                links[path] = origin
            else:
                path.write_text(origin, "utf-8")
        yield View(folder, corpus, links)


def run_recipe(recipe: Callable[..., Any], view: View | Path, inventory: Inventory, **options: Any) -> list[Any]:
    """Pairs of a recording's real path and a supervision of it (None where there is none), as a recipe made them.

    Args:
        recipe: a ``prepare_*`` of Lhotse that returns recordings and supervisions.
        view: its folder.
        inventory: what is known of the recordings.
        options: of the recipe.

    Raises:
        CorpusError: the recipe cannot make sense of the folder.
    """
    view = View(view, view, {}) if isinstance(view, Path) else view
    with quiet(), _audio_known(inventory, view):
        try:
            made = recipe(view.folder, **options)
        except Exception as error:  # whatever a foreign tree makes it stumble over
            raise CorpusError(
                "Lhotse's recipe cannot make sense of the folder",
                where=view.corpus,
                given=repr(error),
                mend="Check its transcripts, or unpack the corpus again.",
            ) from error
    return [pair for manifests in _manifests(made) for pair in _pairs(manifests, view)]


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back the bars and the log of a library."""
    silent, before = logging.NullHandler(), logging.root.manager.disable
    logging.root.addHandler(silent)  # without any handler, logging would add one that stays
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)
        logging.root.removeHandler(silent)


class _KnownAudio(AudioBackend):  # type: ignore[misc]
    """Answers from the inventory."""

    def __init__(self, inventory: Inventory, view: View) -> None:
        self._inventory, self._view = inventory, view

    def info(self, path_or_fd: Any, force_opus_sampling_rate: int | None = None) -> LibsndfileCompatibleAudioInfo:
        info = self._inventory.infos.get(self._view.real(Path(path_or_fd)), _STAND_IN)
        return LibsndfileCompatibleAudioInfo(info.num_channels, info.num_samples, info.sampling_rate, info.duration)


@contextmanager
def _audio_known(inventory: Inventory, view: View) -> Iterator[None]:
    # Lhotse's own context manager does not put the former backend back after an error.
    before = get_current_audio_backend()
    set_current_audio_backend(_KnownAudio(inventory, view))
    try:
        yield
    finally:
        set_current_audio_backend(before)


def _manifests(made: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The pairs of manifests in what a recipe returned, with or without a level of parts."""
    if "recordings" in made:
        yield made
    else:
        yield from made.values()


def _pairs(manifests: Mapping[str, Any], view: View) -> Iterator[tuple[Path, Any]]:
    supervisions = {supervision.recording_id: supervision for supervision in manifests.get("supervisions", ())}
    for recording in sorted(manifests["recordings"], key=lambda recording: recording.id):
        yield view.real(Path(recording.sources[0].source)), supervisions.get(recording.id)
