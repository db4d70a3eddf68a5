import shutil
from collections.abc import Callable
from typing import Any

from sprachbund.data.corpora.field.covost import NO_SENTENCE, NO_TRANSLATION, read_covost
from sprachbund.data.corpora.field.inventory import Inventory

FRENCH = "cv-corpus-4-2019-12-10/fr"


def test_sentences_and_translations_are_joined_by_their_recording(build: Callable[[str], Any]) -> None:
    splits = read_covost(build("covost-2").folder, Inventory(""))
    assert sorted(splits) == ["dev.en-zh-CN", "test.en-zh-CN", "train.fr-en"]
    train = {said.text: said.custom["translations"] for said in splits["train.fr-en"].utterances}
    assert train == {'C\'est "ça".': {"en": 'That is "it".'}, "Oui 2!": {"en": "Yes 2!"}}  # train_covost is training


def test_tables_may_lie_beside_the_languages(build: Callable[[str], Any]) -> None:
    tree = build("covost-2")
    before = read_covost(tree.folder, Inventory(""))
    for table in list(tree.folder.rglob("covost_v2.*.tsv")):
        shutil.move(table, tree.folder / table.name)
    assert read_covost(tree.folder, Inventory("")).keys() == before.keys()
    assert sorted(read_covost(tree.folder / FRENCH, Inventory(""))) == []  # the tables are elsewhere


def test_rows_without_a_partner_are_counted(build: Callable[[str], Any]) -> None:
    tree = build("covost-2")
    with (tree.folder / FRENCH / "covost_v2.fr_en.tsv").open("a") as handle:
        handle.write("gone.mp3\tGone.\ttrain\n")
        handle.write("common_voice_fr_0.mp3\t  \ttest\n")
        handle.write("common_voice_fr_0.mp3\tFoo.\tother\n")  # of no published split
    splits = read_covost(tree.folder, Inventory(""))
    assert splits["train.fr-en"].problems == {NO_SENTENCE: ["gone"]}
    assert splits["test.fr-en"].problems == {NO_TRANSLATION: ["common_voice_fr_0"]}
    assert splits["test.fr-en"].utterances == []


def test_a_pair_whose_recordings_are_not_there_is_none(build: Callable[[str], Any]) -> None:
    tree = build("covost-2")
    (tree.folder / FRENCH / "validated.tsv").unlink()
    assert sorted(read_covost(tree.folder, Inventory(""))) == ["dev.en-zh-CN", "test.en-zh-CN"]
