from collections.abc import Callable
from typing import Any

import pytest

from sprachbund.data.corpora.field.inventory import Inventory
from sprachbund.data.corpora.field.voxceleb import read_voxceleb
from sprachbund.errors import CorpusError


def test_versions_and_sets_are_apart(build: Callable[[str], Any]) -> None:
    splits = read_voxceleb(build("voxceleb").folder, Inventory(""))
    assert {name: [said.speaker for said in split.utterances] for name, split in splits.items()} == {
        "vox1-dev": ["id10001"],
        "vox1-test": ["id10270"],
        "vox2-dev": ["id00012"],
        "vox2-test": ["id00017"],
    }
    assert all(said.text is None and said.language is None for said in splits["vox1-dev"].utterances)


def test_folders_tell_the_set_where_no_table_does(build: Callable[[str], Any]) -> None:
    tree = build("voxceleb")
    (tree.folder / "VoxCeleb2/vox2_meta.csv").unlink()
    assert {"vox2-dev", "vox2-test"} <= read_voxceleb(tree.folder, Inventory("")).keys()
    for part in ("VoxCeleb2/dev", "VoxCeleb2/dev/aac"):
        assert set(read_voxceleb(tree.folder / part, Inventory(""))) == {"vox2-dev"}


def test_a_set_that_nothing_tells_is_one_sentence(build: Callable[[str], Any]) -> None:
    tree = build("voxceleb")
    (tree.folder / "VoxCeleb1/vox1_meta.csv").unlink()
    with pytest.raises(CorpusError, match=r"set of a speaker is not known.*vox1_meta\.csv"):
        read_voxceleb(tree.folder, Inventory(""))


def test_other_files_and_folders_are_passed_by(build: Callable[[str], Any]) -> None:
    tree = build("voxceleb")
    (tree.folder / "VoxCeleb1/wav/id10001/1zcIwhmdeo4/00001.txt").write_text("URL")
    (tree.folder / "VoxCeleb1/wav/id1/a").mkdir(parents=True)
    (tree.folder / "VoxCeleb1/wav/id1/a/00001.wav").write_bytes(b"")
    assert len(read_voxceleb(tree.folder, Inventory(""))["vox1-dev"].utterances) == 1


@pytest.mark.parametrize("content", [b"", b"\xff\xfe"])
def test_a_damaged_table_is_one_sentence(content: bytes, build: Callable[[str], Any]) -> None:
    tree = build("voxceleb")
    (tree.folder / "VoxCeleb1/vox1_meta.csv").write_bytes(content)
    with pytest.raises(CorpusError, match="table cannot be read"):
        read_voxceleb(tree.folder, Inventory(""))
