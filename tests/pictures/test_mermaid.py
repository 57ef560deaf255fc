from annotated_shadowsocks.pictures.mermaid import draw
from annotated_shadowsocks.pictures.recorder import Recorder
from annotated_shadowsocks.pictures.trace import Party, Trace
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory


def test_a_handshake() -> None:
    laboratory = Laboratory(1)
    laboratory.connect()
    assert draw(laboratory.recorded("three packets")).splitlines() == [
        "---",
        'title: "three packets"',
        "---",
        "sequenceDiagram",
        "    participant p0 as A",
        "    participant p1 as server",
        "    Note over p1: 0.000 s listen(1) on Linux 6.18",
        "    Note over p1: SYN queue 0/1, accept queue 0/1",
        "    p0->>p1: 0.000 s SYN (S seq 0)",
        "    Note over p1: into the SYN queue",
        "    Note over p1: SYN queue 1/1, accept queue 0/1",
        "    p1->>p0: 0.000 s SYN/ACK (S. seq 0 ack 1)",
        "    p0->>p1: 0.000 s ACK (. ack 1)",
        "    Note over p1: into the accept queue",
        "    Note over p1: SYN queue 0/1, accept queue 1/1",
    ]


def test_lost_refused_and_held() -> None:
    laboratory = Laboratory(0, settings={"tcp_syncookies": 0})
    laboratory.connect()
    laboratory.connect()
    laboratory.cut = True
    laboratory.at(1)
    laboratory.accept()
    laboratory.cut, laboratory.hold = False, 20_000_000
    laboratory.at(2.1)
    lines = draw(laboratory.recorded(), only={"B"}).splitlines()
    assert "    p0-xp1: 0.000 s SYN (S seq 0)" in lines
    assert "    p0-xp1: 1.000 s SYN again (S seq 0)" in lines
    assert "    Note over p0: 2.000 s ACK (. ack 1): on the wire" in lines
    assert "    p0-->>p1: 2.020 s ACK (. ack 1)" in lines


def test_nothing_breaks_out_of_its_line() -> None:
    recorder = Recorder([Party("end; #1\n", "10.9.0.1")])
    recorder.measured(0, "10.9.0.1", "accept_queue", 0, None)
    recorder.noted(0, 'a; b #35 "c" <d>\nend', "end; #1\n")
    lines = draw(recorder.trace('a "title"\n', "")).splitlines()
    assert lines[1] == 'title: "a #quot;title#quot;?"'
    assert lines[4] == "    participant p0 as end#59; #35;1?"
    assert lines[-2:] == [
        "    Note over p0: accept queue 0",
        "    Note over p0: 0.000 s a#59; b #35;35 #quot;c#quot; #lt;d#gt;?end",
    ]


def test_an_empty_trace() -> None:
    assert draw(Trace("", "", (), ())) == "sequenceDiagram\n"
