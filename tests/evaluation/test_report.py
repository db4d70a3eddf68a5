import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.errors import DataError
from sprachbund.evaluation.report import (
    Clip,
    Clips,
    Finding,
    KeyFigure,
    KeyFigures,
    NamedHypothesis,
    Paragraph,
    Picture,
    Report,
    Section,
    Table,
    render_report,
    write_report,
)

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
PNG = b"\x89PNG\r\n\x1a\nrest"
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """The page as a browser takes it apart, refusing tags that do not pair."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.texts = [], [], []
        self.feed(page.decode("utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    def attributes(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))


def report_of(text="plain", reference="the cat sat", hypothesis="the hat", title="clip 1"):
    clip = Clip(title, WAV, reference, (NamedHypothesis("greedy CTC", hypothesis), NamedHypothesis("beam", reference)))
    blocks = (
        Paragraph(text),
        Finding(text, "holds"),
        KeyFigures((KeyFigure("12.5 %", text, "of 300"), KeyFigure("7", "clips"))),
        Table(("system", "errors"), ((text, "12.5 %"), ("other", "-")), caption=text),
        Picture(PNG, text, text),
        Clips((clip,)),
    )
    return Report(text, (Section(text, blocks), Section("Second", ())), summary=text)


def test_every_block_is_on_the_page():
    page = Page(render_report(report_of(text="some words")))
    assert page.attributes("html") == [{"lang": "en"}]
    assert page.attributes("img")[0]["alt"] == "some words"
    assert len(page.attributes("audio")) == 1 and "controls" in page.attributes("audio")[0]
    assert (
        "12.5 %" in page.text
        and "12.5\u00a0%" in "".join(page.texts)
        and "of 300" in page.text
        and "Shown some words" in page.text
    )
    assert page.attributes("meta")[1]["name"] == "viewport"
    names = {attributes["id"] for tag, attributes in page.tags if "id" in attributes}
    assert {link["href"] for link in page.attributes("a")} == {f"#{name}" for name in names}


def test_word_errors_are_marked():
    page = render_report(report_of()).decode()
    assert "the <del>cat</del> <mark>hat</mark> <del>sat</del>" in page
    assert '<dd dir="auto">the cat sat</dd>' in page


def test_silence_is_named():
    page = Page(render_report(report_of(hypothesis="")))
    assert "nothing the cat sat" in page.text
    assert "greedy CTC oh" in Page(render_report(report_of(reference="", hypothesis="oh"))).text


def test_markup_in_any_text_stays_text():
    attack = '<script>alert(\'1\')</script>" onload="x" <img src=http://example.org/a.png> &amp; $title ${x}'
    plain, attacked = (
        Page(render_report(report_of(reference="a", hypothesis="a"))),
        Page(render_report(report_of(text=attack, reference=attack, hypothesis=attack, title=attack))),
    )
    assert [tag for tag, _ in attacked.tags] == [tag for tag, _ in plain.tags]
    assert "script" not in {tag for tag, _ in attacked.tags}
    assert not any(name.startswith("on") for _, attributes in attacked.tags for name in attributes)
    assert "<script>alert('1')</script>" in attacked.text and "${x}" in attacked.text


@settings(deadline=None, max_examples=60)
@given(text=st.text(max_size=30), reference=st.text(max_size=30), hypothesis=st.text(max_size=30))
def test_no_text_breaks_the_page(text, reference, hypothesis):
    page = render_report(report_of(text=text, reference=reference, hypothesis=hypothesis))
    assert len(Page(page).attributes("audio")) == 1
    assert b"\x00" not in page


def test_the_page_needs_nothing_but_itself():
    page = Page(render_report(report_of()))
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "poster", "data", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
    assert {"script", "link", "iframe", "object"}.isdisjoint(tag for tag, _ in page.tags)
    assert b"url(" not in render_report(report_of()) and b"@import" not in render_report(report_of())
    assert "default-src 'none'" in page.attributes("meta")[2]["content"]


def test_same_report_same_bytes():
    assert render_report(report_of()) == render_report(report_of())
    assert render_report(report_of()) != render_report(report_of(hypothesis="other"))


def test_numbers_stand_at_the_right_and_names_do_not():
    page = render_report(report_of()).decode()
    assert '<td class="number" dir="auto">12.5 %</td>' in page and '<th scope=row dir="auto">plain</th>' in page


@pytest.mark.parametrize(
    ("start", "kind"), [(b"fLaC", "flac"), (b"OggS", "ogg"), (b"ID3\x03", "mpeg"), (b"\xff\xfb\x90", "mpeg")]
)
def test_kinds_of_recordings(start, kind):
    clip = Clip("a", start + bytes(9), "", ())
    page = Page(render_report(Report("t", (Section("s", (Clips((clip,)),)),))))
    assert page.attributes("audio")[0]["src"].startswith(f"data:audio/{kind};base64,")


@pytest.mark.parametrize(
    "block",
    [
        Picture(b"GIF89a", "caption", "alt"),
        Clips((Clip("a", b"MZ", "", ()),)),
        Table(("a", "b"), (("1",),)),
    ],
)
def test_what_cannot_be_shown_is_an_error_and_leaves_no_file(tmp_path, block):
    with pytest.raises(DataError):
        write_report(Report("t", (Section("s", (block,)),)), tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_the_page_is_written(tmp_path):
    write_report(report_of(), tmp_path / "deep" / "report.html")
    assert (tmp_path / "deep" / "report.html").read_bytes() == render_report(report_of())
