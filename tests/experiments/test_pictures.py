import struct

import tiny
from sprachbund.data.units import attach_units
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.experiments.pictures import draw_attention, draw_units


def size(png: bytes) -> tuple[int, int]:
    return struct.unpack(">II", png[16:24])


def test_pictures_of_a_clip(tmp_path):
    units = tiny.unit_model()
    cut = next(iter(attach_units(tiny.make_cuts(tmp_path, 1), units, tmp_path / "units")))
    recognizer = Recognizer(tiny.tiny_model(), tiny.character_tokenizer())
    for png in (draw_attention(recognizer, cut), draw_units(cut, units)):
        assert png.startswith(b"\x89PNG")
        assert min(size(png)) > 200
