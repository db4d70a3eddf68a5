"""What the tests of importers and exporters share: small sources in foreign forms, and a look at what came of them."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from lhotse.cut import Cut

import tiny
from sprachbund.data.importers.manifests import Report
from sprachbund.data.importers.registry import import_corpus
from sprachbund.data.importers.utterances import Note, Request
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.errors import SprachbundError
from sprachbund.signal.audio import write_audio


def write_wav(path: Path, num_samples: int = 8_000, seed: int = 0, rate: int = 16_000) -> Path:
    """Half a second of a tone, unless told otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, tiny.tone(num_samples, seed), rate)
    return path


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write texts and bytes below `folder`."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return folder


def run(name: str, source: Path, out: Path, **options: Any) -> list[Report]:
    """Import a source."""
    return import_corpus(name, Request(source=str(source), out=out, **options))


def imported(name: str, source: Path, out: Path, **options: Any) -> dict[str, Cut]:
    """Import a source of one split; its cuts by their ids."""
    [report] = run(name, source, out, **options)
    return {cut.id: cut for cut in read_cuts(report.path)}


def texts(cuts: Mapping[str, Cut]) -> dict[str, str | None]:
    """The text of each cut; None without a supervision."""
    return {name: cut.supervisions[0].text if cut.supervisions else None for name, cut in cuts.items()}


def notes(items: Iterable[Any]) -> list[tuple[str, str]]:
    """What was noted, with the examples."""
    return [(item.what, item.example) for item in items if isinstance(item, Note)]


def items_or_error(read: Callable[[], Iterable[Any]]) -> None:
    """Reading gives items, or an error of ours that says something."""
    try:
        list(read())
    except SprachbundError as error:
        assert len(str(error)) > 10


def contents(*pieces: str) -> st.SearchStrategy[bytes]:
    """Files that a reader may meet: anything, and almost what it wants, made of `pieces`."""
    odd = [
        "",
        " ",
        "\t",
        "\n",
        "\r\n",
        "\ufeff",
        "\x00",
        "nan",
        "-1",
        "1e999",
        "9" * 400,
        "é",
        "\u2028",
        "|",
        '"',
        "..",
    ]
    almost = st.lists(st.sampled_from([*pieces, *odd]), max_size=14).map(lambda parts: "".join(parts).encode())
    return st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")) | almost
