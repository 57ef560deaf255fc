from xml.etree import ElementTree

from annotated_shadowsocks.pictures.svg import Sheet

SVG = "{http://www.w3.org/2000/svg}"


def rendered(sheet: Sheet) -> ElementTree.Element:
    return ElementTree.fromstring(sheet.render(50))


def test_a_sheet_is_well_formed_whatever_is_written_on_it() -> None:
    sheet = Sheet(100, "a < b & c", "d > e")
    sheet.text(1, 2, "<&>\"'", "code", "end")
    sheet.words(1, 2, [("one & two", "label"), ("", "code"), ("three", "")], "end")
    root = rendered(sheet)
    assert root.attrib["viewBox"] == "0 0 100 50"
    assert root.findtext(f"{SVG}title") == "a < b & c"
    assert root.findtext(f"{SVG}desc") == "d > e"
    text, words = root.iter(f"{SVG}text")
    assert (text.text, text.attrib["text-anchor"]) == ("<&>\"'", "end")
    assert "".join(words.itertext()) == "one & two three"


def test_shapes() -> None:
    sheet = Sheet(100, "shapes")
    sheet.line(0, 0, 1, 1, "rule")
    sheet.rect(0, 0, 2, 3, "fill")
    sheet.rect(0, 0, 0, 3, "fill")
    sheet.circle(1, 1, 2, "dot")
    sheet.path("M0 0h1", "edge")
    sheet.cross(5, 5)
    names = [child.tag.removeprefix(SVG) for child in rendered(sheet)]
    assert names == ["title", "style", "rect", "line", "rect", "circle", "path", "path"]


def test_its_style_is_for_itself_alone_and_knows_the_dark() -> None:
    style = rendered(Sheet(1, "")).findtext(f"{SVG}style") or ""
    rules = style.replace("@media(prefers-color-scheme:dark){", "").split("}")
    assert all(rule.strip().startswith(".trace") for rule in rules if rule.strip())
    assert "prefers-color-scheme:dark" in style
    assert "http" not in style and "@import" not in style
