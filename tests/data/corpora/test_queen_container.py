import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.data.corpora.queen_container import QueenContainer, count_samples, decode_stream
from sprachbund.errors import CorpusError

RESOURCES = {"020006J1.SB": b"sound", "AND1.DOG": b"dialogue", "EMPTY.CUT": b""}


@pytest.fixture
def path(tmp_path: Path, build_queen: Callable[..., bytes]) -> Path:
    (tmp_path / "queen.1c").write_bytes(build_queen(RESOURCES))
    return tmp_path / "queen.1c"


def test_resources_are_read_by_name(path: Path) -> None:
    container = QueenContainer(path)
    assert {name: container.read(name) for name in container.resources} == RESOURCES
    assert container.names(".SB") == ["020006J1.SB"]
    with pytest.raises(CorpusError, match=r"lacks a part.*NONE\.SB"):
        container.read("NONE.SB")


def test_every_truncation_is_told(path: Path) -> None:
    content = path.read_bytes()
    for keep in range(len(content)):
        path.write_bytes(content[:keep])
        with pytest.raises(CorpusError, match=r"cut short|damaged|another kind"):
            QueenContainer(path)
    path.unlink()
    with pytest.raises(CorpusError, match="missing"):
        QueenContainer(path)


def test_a_container_that_shrinks_after_it_was_opened_is_told(path: Path) -> None:
    container = QueenContainer(path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CorpusError, match=r"cut short.*AND1\.DOG"):
        container.read("AND1.DOG")


@pytest.mark.parametrize("offset", [12, 15 + 13, 15 + 17, 15 + 21 + 13])
def test_a_damaged_index_is_told(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] = 0xEE
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"damaged|compressed"):
        QueenContainer(path)


def test_names_that_stand_twice_are_told(tmp_path: Path, build_queen: Callable[..., bytes]) -> None:
    content = build_queen({"A.SB": b"1", "B.SB": b"2"}).replace(b"B.SB", b"A.SB")
    (tmp_path / "queen.1c").write_bytes(content)
    with pytest.raises(CorpusError, match=r"damaged.*A\.SB"):
        QueenContainer(tmp_path / "queen.1c")


@given(st.binary(max_size=200))
def test_any_bytes_give_an_error_or_a_table(content: bytes) -> None:
    with pytest.raises(CorpusError):
        count_samples(b"\xff\xe3\x20\xc4" + content, where="x")


@pytest.fixture(scope="module")
def real_queen(real_queen_path: Path) -> QueenContainer:
    return QueenContainer(real_queen_path)


def test_the_real_container_has_the_known_counts(real_queen: QueenContainer, facts: Callable[[str], Any]) -> None:
    known = facts("acceptance")["amazon_queen"]
    sounds = [real_queen.resources[name] for name in real_queen.names(".SB")]
    assert len(real_queen.resources) == known["resources"]
    assert len(sounds) == known["voice_clips"]
    assert round(sum(sound.size for sound in sounds) / 2000 / 60, 2) == known["voice_minutes"]
    assert (len(real_queen.names(".DOG")), len(real_queen.names(".CUT"))) == (73, 301)
    assert min(resource.offset for resource in real_queen.resources.values()) == 161_106


def test_real_recordings_are_the_known_ones(real_queen: QueenContainer, facts: Callable[[str], Any]) -> None:
    for sample in facts("amazon_queen_samples"):
        stream = real_queen.read(f"{sample['clip']}.SB")
        assert len(stream) == sample["bytes"]
        assert hashlib.sha256(stream).hexdigest() == sample["sha256"]
        waveform = decode_stream(stream, where=sample["clip"])
        assert len(waveform) == count_samples(stream, where="") == pytest.approx(sample["seconds"] * 11025, rel=0.01)
        assert np.abs(waveform).max() > 0.05


def test_damaged_recordings_are_told(real_queen: QueenContainer) -> None:
    stream = real_queen.read("COMIC011.SB")
    for damaged in (stream[:-1], stream[:300] + stream[301:], stream[5:], b""):
        with pytest.raises(CorpusError, match="COMIC011"):
            decode_stream(damaged, where="COMIC011")


@pytest.mark.slow
def test_every_real_recording_decodes_to_its_frames(real_queen: QueenContainer) -> None:
    for name in real_queen.names(".SB"):
        decode_stream(real_queen.read(name), where=name)
