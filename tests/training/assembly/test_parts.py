from pathlib import Path

import tiny
from sprachbund.training.assembly.parts import Assembly
from training.assembly.building import build


def test_an_assembly_says_what_is_not_there(tmp_path: Path) -> None:
    """An encoder alone has no tokenizer, and nothing of it is decoded in validation."""
    assembly, _ = build(tiny.encoder_recipe(tmp_path))
    assert assembly.tokenizer is None
    assert assembly.held_out_cuts == ()
    bare = Assembly(assembly.objective, assembly.model, None, {}, {}, [])
    assert (bare.facts, bare.held_out_cuts) == ({}, ())
