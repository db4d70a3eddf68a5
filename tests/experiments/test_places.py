from pathlib import Path

from sprachbund.experiments.places import Places


def test_everything_but_corpora_is_below_one_folder():
    places = Places(Path("out"), Path("corpora"))
    made = [places.tokenizer, places.units, places.labelled("dev"), places.model("scratch"), places.report]
    made.append(places.evaluation("scratch", "ctc", "steel-sky"))
    assert all(path.is_relative_to("out") for path in made)
    assert len(set(made)) == len(made)
    assert places.manifest("asterisk", "all") == Path("corpora/asterisk/all.jsonl.gz")
