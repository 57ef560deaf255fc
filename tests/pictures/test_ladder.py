import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from annotated_shadowsocks.lab.conductor import conduct
from annotated_shadowsocks.lab.model_stage import ModelStage
from annotated_shadowsocks.pictures import depth_plot, mermaid, pcapng, svg_ladder
from annotated_shadowsocks.pictures.ladder import draw
from annotated_shadowsocks.pictures.recorder import Recorder
from annotated_shadowsocks.pictures.trace import Party, Trace, from_jsonl, to_jsonl
from annotated_shadowsocks.scripts.parser import parse
from annotated_shadowsocks.tcp_model.profiles import DEFAULT
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory

SCRIPTS = sorted((Path(__file__).parents[1] / "scripts").glob("*.pkt"))


def played(path: Path) -> Trace:
    script = parse(path.read_text("utf-8"), path.stem)
    return conduct(script, ModelStage(script.profile or DEFAULT.name, script.ipv6)).trace


def laboratory() -> Laboratory:
    return Laboratory(1, settings={"tcp_syncookies": 0, "tcp_synack_retries": 1})


def ignored_ack() -> Trace:
    lab = laboratory()
    lab.connect()
    lab.at(0.1)
    lab.hold = 20_000_000
    lab.connect()
    lab.connect()
    lab.at(5)
    return lab.recorded()


def handshake() -> Trace:
    lab = laboratory()
    lab.connect()
    return lab.recorded()


def test_a_handshake() -> None:
    assert draw(handshake(), 80).splitlines() == [
        "     time  client                                        server    SYN    accept",
        "    0.000  · listen(1) on Linux 6.18                               0/1 ░  0/1 ░",
        "           A SYN-SENT ── S seq 0 ──────────────────────▶ SYN-RECV  1/1 █  0/1 ░",
        "                      into the SYN queue",
        "           A ESTAB    ◀─────────────── S. seq 0 ack 1 ── SYN-RECV  1/1 █  0/1 ░",
        "           A ESTAB    ── . ack 1 ──────────────────────▶ ESTAB     0/1 ░  1/1 █",
        "                      into the accept queue",
    ]


def test_reasons_stand_beside_where_there_is_room() -> None:
    lines = draw(handshake(), 140, counters=True).splitlines()
    assert lines[2].endswith("1/1 █  0/1 ░   into the SYN queue")
    assert lines[4].endswith("into the accept queue")
    assert lines[5].strip() == "PassiveOpens +1"


def test_what_is_held_refused_and_sent_again() -> None:
    lines = draw(ignored_ack(), 80).splitlines()
    refused = [line for line in lines if "✗" in line]
    assert len(refused) == 2 and all(
        " C ESTAB" in line and "╌▶✗ SYN-RECV" in line for line in refused
    )
    departed = [line for line in lines if re.search(r"C ESTAB    ╌╌ \. ack 1 .*╌ {5,}", line)]
    assert len(departed) == 2
    again = [line for line in lines if "again" in line and "S. seq 0" in line]
    assert [line[:26] for line in again] == ["    1.100  C ESTAB    ◀───"]


def test_what_is_lost_ends_in_a_cross_on_the_way() -> None:
    lab = laboratory()
    lab.cut = True
    lab.connect()
    [line] = [line for line in draw(lab.recorded(), 80).splitlines() if "✗" in line]
    assert re.search(r"── S seq 0 ─+✗ {8,}LISTEN", line)


@pytest.mark.parametrize("width", [60, 72, 80, 100, 132, 200])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_no_line_is_too_long(width: int, ascii_only: bool) -> None:
    drawing = draw(ignored_ack(), width, counters=True, ascii_only=ascii_only)
    assert max(map(len, drawing.splitlines())) <= width
    assert not ascii_only or drawing.isascii()


def test_styles_are_only_styles() -> None:
    styled = draw(ignored_ack(), 80, styled=True)
    assert re.sub(r"\x1b\[\d+m", "", styled) == draw(ignored_ack(), 80)
    assert "\x1b[31m" in styled and "\x1b[33m" in styled


def test_nothing_that_a_trace_says_controls_the_terminal() -> None:
    recorder = Recorder([Party("a\x1b[2J\n", "10.9.0.1")])
    recorder.noted(0, "bell \a and \x1b]0;title\a", "a\x1b[2J\n")
    drawing = draw(recorder.trace("", ""))
    assert drawing.replace("\n", "").isprintable()
    assert "bell ? and ?]0;title?" in drawing


def test_an_empty_trace_is_a_heading() -> None:
    assert draw(Trace("", "", (), ())).split() == ["time", "client"]


def test_numbers_too_large_for_a_bar() -> None:
    recorder = Recorder([Party("server", "10.9.0.1")])
    recorder.measured(0, "10.9.0.1", "accept_queue", 4096, 4096)
    recorder.measured(0, "10.9.0.1", "syn_queue", 7, None)
    assert draw(recorder.trace("", "")).splitlines()[1].endswith("7 ████  4096/4096 ████")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_can_be_drawn_in_every_way(script: Path) -> None:
    trace = played(script)
    assert max(map(len, draw(trace, 80).splitlines())) <= 80
    assert from_jsonl(to_jsonl(trace)) == trace
    for drawing in (svg_ladder.draw(trace), depth_plot.draw(trace)):
        assert ElementTree.fromstring(drawing)
    assert mermaid.draw(trace) and pcapng.encode(trace)


def test_several_listeners_have_columns_of_their_own() -> None:
    [path] = [path for path in SCRIPTS if path.stem.startswith("50-")]
    head = draw(played(path), 80).splitlines()[0]
    assert head.endswith("SYN 1  accept 1  SYN 2  accept 2")
