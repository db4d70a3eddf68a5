import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.decoding.times.timestamps import WordTime
from sprachbund.errors import RecipeError
from sprachbund.serving.subtitles import SubtitleConfig, format_srt, format_tsv, format_vtt, make_cues

TIMES = re.compile(r"(\d\d+):(\d\d):(\d\d)([,.])(\d{3}) --> (\d\d+):(\d\d):(\d\d)\4(\d{3})")
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(["-->", "<b>", "a&b", "1", ""])


@st.composite
def timed_words(draw) -> list[WordTime]:
    """Words in order and without overlap, some of no length, some hours apart."""
    words, place = list[WordTime](), draw(st.floats(0, 500_000))
    for word, pause, length in draw(
        st.lists(st.tuples(text, st.floats(0, 3) | st.floats(0, 5e4), st.floats(0, 1) | st.just(0.0)), max_size=20)
    ):
        start = place + pause
        place = start + length
        words.append(WordTime(word, start, place, draw(st.none() | st.floats(0, 1))))
    return words


configs = st.builds(
    SubtitleConfig,
    max_characters=st.integers(1, 50),
    max_lines=st.integers(1, 3),
    max_seconds=st.floats(0.1, 10),
    max_pause=st.floats(0.1, 5),
)


def parse(blocks: list[list[str]]) -> list[tuple[int, int, list[str]]]:
    """Times in milliseconds, and lines, of blocks that begin with their times."""
    cues = []
    for times, *lines in blocks:
        found = TIMES.fullmatch(times)
        assert found, times
        numbers = [int(part) for part in (*found.groups()[:3], *found.groups()[4:])]
        hours, minutes, seconds, rest = numbers[:4]
        start = ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest
        hours, minutes, seconds, rest = numbers[4:]
        cues.append((start, ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest, lines))
        assert all(part < 60 for part in (*numbers[1:3], *numbers[5:7]))
    return cues


def blocks_of(content: str) -> list[list[str]]:
    # Only "\n" ends a line here; str.splitlines would know more.
    return [block.split("\n") for block in content.strip("\n").split("\n\n") if block]


def wanted(words: list[WordTime]) -> list[str]:
    return " ".join(word.word for word in words).split()


@settings(deadline=None, max_examples=30)
@given(timed_words(), configs)
def test_srt_is_read_back(words, config):
    blocks = blocks_of(format_srt(words, config))
    assert [block[0] for block in blocks] == [str(number) for number in range(1, len(blocks) + 1)]
    cues = parse([block[1:] for block in blocks])
    assert [(start, end, tuple(lines)) for start, end, lines in cues] == [
        (cue.start, cue.end, tuple(line.replace("-->", "→") for line in cue.lines)) for cue in make_cues(words, config)
    ]
    said = [word.replace("-->", "→") for word in wanted(words)]
    assert [word for _, _, lines in cues for line in lines for word in line.split()] == said


@settings(deadline=None, max_examples=30)
@given(timed_words(), configs)
def test_vtt_is_read_back(words, config):
    heading, *blocks = blocks_of(format_vtt(words, config))
    assert heading == ["WEBVTT"]
    cues = parse(blocks)
    assert [(start, end) for start, end, _ in cues] == [(cue.start, cue.end) for cue in make_cues(words, config)]
    content = " ".join(line for _, _, lines in cues for line in lines)
    assert "<" not in content
    assert ">" not in content
    for entity in re.findall(r"&[^ ;]*;?", content):
        assert entity in ("&amp;", "&lt;", "&gt;")
    unescaped = content.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert unescaped.split() == wanted(words)


@settings(deadline=None, max_examples=30)
@given(timed_words(), configs)
def test_cues_follow_each_other_and_keep_the_limits(words, config):
    cues = make_cues(words, config)
    assert all(cue.start < cue.end for cue in cues)
    assert all(before.end <= after.start for before, after in pairwise(cues))
    for cue in cues:
        assert all(len(line) <= config.max_characters or " " not in line for line in cue.lines)
        assert len(cue.lines) <= config.max_lines or len(cue.lines) == len(" ".join(cue.lines).split())
        if len(" ".join(cue.lines).split()) > 1 and len(cue.lines) <= config.max_lines:
            assert cue.end - cue.start <= 1000 * config.max_seconds + 2000  # a word may have parts, and rounding
    shown = [word for cue in cues for line in cue.lines for word in line.split()]
    assert shown == wanted(words)


def test_cues_end_at_pauses_lengths_and_full_lines():
    words = [WordTime("one", 0.0, 0.4), WordTime("two", 0.5, 0.9), WordTime("three", 2.5, 3.0)]
    assert [cue.lines for cue in make_cues(words)] == [("one two",), ("three",)]
    assert [cue.lines for cue in make_cues(words, SubtitleConfig(max_pause=5.0))] == [("one two three",)]
    narrow = SubtitleConfig(max_pause=5.0, max_characters=8)
    assert [cue.lines for cue in make_cues(words, narrow)] == [("one two", "three")]
    single = SubtitleConfig(max_pause=5.0, max_characters=8, max_lines=1)
    assert [cue.lines for cue in make_cues(words, single)] == [("one two",), ("three",)]
    short = SubtitleConfig(max_pause=5.0, max_seconds=0.9)
    assert [cue.lines for cue in make_cues(words, short)] == [("one two",), ("three",)]


def test_times_are_written_exactly():
    words = [WordTime("a", 0.0004, 0.0005), WordTime("b", 3599.9996, 3600.9994), WordTime("c", 360_000.0, 360_000.25)]
    assert format_srt(words) == (
        "1\n00:00:00,000 --> 00:00:00,001\na\n\n"
        "2\n01:00:00,000 --> 01:00:00,999\nb\n\n"
        "3\n100:00:00,000 --> 100:00:00,250\nc\n\n"
    )
    assert format_vtt(words[:1]) == "WEBVTT\n\n00:00:00.000 --> 00:00:00.001\na\n"
    assert format_srt([]) == ""
    assert format_vtt([]) == "WEBVTT\n"


@settings(deadline=None, max_examples=30)
@given(timed_words())
def test_tsv_is_read_back(words):
    heading, *lines = format_tsv(words).rstrip("\n").split("\n")
    assert heading.split("\t") == ["start", "end", "word", "confidence"]
    assert len(lines) == len(words)
    for line, word in zip(lines, words, strict=True):
        start, end, said, sure = line.split("\t")
        assert said == " ".join(word.word.split())
        assert (sure == "") == (word.confidence is None)
        assert sure == "" or abs(float(sure) - word.confidence) <= 0.00051
        assert abs(float(start) - word.start) <= 0.00051
        assert float(start) <= float(end)


@pytest.mark.parametrize("wrong", ["max_characters", "max_lines", "max_seconds", "max_pause"])
def test_limits_that_leave_no_room_are_refused(wrong):
    with pytest.raises(RecipeError, match=wrong):
        SubtitleConfig(**{wrong: 0})
