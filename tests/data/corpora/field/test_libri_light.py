import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sprachbund.data.corpora.field.inventory import Inventory
from sprachbund.data.corpora.field.libri_light import read_libri_light
from sprachbund.data.corpora.field.records import MISSING, UNTRANSCRIBED

NAME = "100-sea_fairies_0812_librivox_64kb_mp3-01_baum_sea_fairies_64kb"


def test_one_part_is_enough_and_any_path(build: Callable[[str], Any]) -> None:
    """Lhotse's recipe wants all parts, and paths without the letters flac; the tree lies in flac-of-libri."""
    splits = read_libri_light(build("libri-light").folder, Inventory(""))
    assert list(splits) == ["small", "medium"]
    assert [(said.start, said.duration) for said in splits["small"].utterances] == [(0.1, 0.4), (0.6, 0.4)]
    assert {said.speaker for said in splits["small"].utterances} == {"100"}


@pytest.mark.parametrize("content", [None, "{", "[]", '{"speaker": "1"}', '{"speaker": "1", "voice_activity": [1]}'])
def test_a_recording_without_its_voice_activity_is_counted(content: str | None, build: Callable[[str], Any]) -> None:
    tree = build("libri-light")
    path = next(iter(tree.known["small"].values())).path.with_suffix(".json")
    path.unlink() if content is None else path.write_text(content)
    if content is None:
        path.with_name("other.json").write_text("{}")  # without any, the part is not recognised
    small = read_libri_light(tree.folder, Inventory(""))["small"]
    assert small.utterances == []
    assert small.problems[UNTRANSCRIBED] == [NAME]
    assert (MISSING in small.problems) == (content is None)


def test_deep_nesting_ends_nothing(build: Callable[[str], Any]) -> None:
    tree = build("libri-light")
    path = next(iter(tree.known["small"].values())).path.with_suffix(".json")
    path.write_text("[" * 200_000)
    assert read_libri_light(tree.folder, Inventory(""))["small"].problems == {UNTRANSCRIBED: [NAME]}


def test_another_folder_is_none(tmp_path: Path) -> None:
    (tmp_path / "small/notes").mkdir(parents=True)
    (tmp_path / "small/notes/a.json").write_text(json.dumps({}))
    assert read_libri_light(tmp_path, Inventory("")) == {}
