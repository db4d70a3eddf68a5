from collections.abc import Callable
from typing import Any

import pytest

from sprachbund.data.corpora.field.inventory import Inventory
from sprachbund.data.corpora.field.must_c import read_must_c
from sprachbund.errors import CorpusError

TEXTS = "en-de/data/train/txt"


def test_lines_are_those_of_segments_whatever_they_hold(build: Callable[[str], Any]) -> None:
    """A line separator inside a line is none; remarks of sound are dropped where something is said beside them."""
    said = read_must_c(build("must-c").folder, Inventory(""))["train.en-de"].utterances
    assert [(one.text, one.spoken) for one in said] == [
        ("(Laughter) And it was 5.", "And it was 5."),
        ("(Applause)", "(Applause)"),
    ]
    assert [one.custom["translations"] for one in said] == [{"de": "Und es waren 5."}, {"de": "(Applaus)"}]


def test_a_pair_by_itself_may_be_given(build: Callable[[str], Any]) -> None:
    folder = build("must-c").folder
    assert read_must_c(folder / "en-de", Inventory("")).keys() == read_must_c(folder, Inventory("")).keys()
    assert read_must_c(folder.parent, Inventory("")) == {}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("train.de", "eins\n", "not equally many"),
        ("train.en", "eins\nzwei\ndrei\n", "not equally many"),
        ("train.yaml", "- {duration: a, offset: 1, wav: ted_1.wav}\n", "list of segments"),
        ("train.yaml", "- {offset: 1, wav: ted_1.wav}\n", "list of segments"),
        ("train.yaml", "7\n", "list of segments"),
        ("train.yaml", "- {\n", "list of segments"),
        ("train.yaml", "!!python/object/apply:os.system [ls]\n", "list of segments"),
        ("train.en", None, "text of the pair"),
    ],
)
def test_damaged_texts_are_one_sentence(name: str, content: str | None, told: str, build: Callable[[str], Any]) -> None:
    tree = build("must-c")
    path = tree.folder / TEXTS / name
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(CorpusError, match=told):
        read_must_c(tree.folder, Inventory(""))


def test_a_list_cannot_point_out_of_its_folder(build: Callable[[str], Any]) -> None:
    tree = build("must-c")
    path = tree.folder / TEXTS / "train.yaml"
    path.write_text(path.read_text().replace("ted_1.wav", "/etc/../etc/passwd"))
    for said in read_must_c(tree.folder, Inventory(""))["train.en-de"].utterances:
        assert said.recording == tree.folder / "en-de/data/train/wav/passwd"
