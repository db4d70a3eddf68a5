from collections.abc import Callable
from pathlib import Path

import pytest

from sprachbund.data.corpora.packages import POCKETSPHINX
from sprachbund.data.corpora.pocketsphinx_test import CORPUS, read_transcripts
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.errors import CorpusError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, text in (
        ("librivox/transcription", "<s> he was </s> (a-1)\n"),
        ("cards/cards.transcription", "two (001)\n\n"),
    ):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    return tmp_path


def test_transcripts_are_read(data: Path) -> None:
    assert read_transcripts(data) == {"librivox/a-1.wav": "he was", "cards/001.wav": "two"}


@pytest.mark.parametrize("content", [b"no name\n", b"\xff\xfe (a)\n"])
def test_other_lists_are_refused(data: Path, content: bytes) -> None:
    (data / "cards/cards.transcription").write_bytes(content)
    with pytest.raises(CorpusError, match=r"cards\.transcription"):
        read_transcripts(data)
    (data / "cards/cards.transcription").unlink()
    with pytest.raises(CorpusError, match=r"cards\.transcription"):
        read_transcripts(data)


def test_the_real_clips_are_the_known_ones(real_packages: Callable[..., list[Path]], tmp_path: Path) -> None:
    real_packages(POCKETSPHINX)
    prepared = CORPUS.prepare(tmp_path, None, False)
    cuts = list(read_cuts(prepared.folder / "all.jsonl.gz"))
    seconds = {part: round(sum(cut.duration for cut in cuts if part in cut.id), 1) for part in ("librivox", "cards")}
    assert seconds == {"librivox": 24.7, "cards": 9.7}
    assert [cut.sampling_rate for cut in cuts] == [16000] * 10
    assert cuts[-1].supervisions[0].text == "eight of spades four of clubs seven of hearts"
    assert all(len(cut.load_audio()[0]) == cut.num_samples for cut in cuts)
