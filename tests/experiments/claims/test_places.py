from pathlib import Path

from sprachbund.experiments.claims.places import SEARCHES, TEST_SETS, ClaimsPlaces


def test_no_two_things_lie_in_one_place(tmp_path: Path) -> None:
    places = ClaimsPlaces(tmp_path / "out", tmp_path / "corpora")
    found = [places.labelled, places.text, places.tokenizer, places.language_model, places.teacher, places.figures]
    for name in ("a", "b"):
        found += [places.note(name), places.lock(name), places.log(name), places.run(name), places.model(name)]
        found += [places.settings(name), places.translated_tokenizer(name)]
        for seed in (1, 2):
            found += [places.translations(name, language, seed) for language in ("de", "fr")]
            found += [places.evaluation(name, seed, test, search) for test in TEST_SETS for search in SEARCHES]
    assert len(set(found)) == len(found)
    assert all(path.is_relative_to(tmp_path / "out") for path in found)
    assert places.manifest("steel-sky", "test") == tmp_path / "corpora" / "steel-sky" / "test.jsonl.gz"
