"""What tcpdump and tshark say of a capture that was written here, against what was put into it."""

import subprocess
from pathlib import Path

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.pictures import pcapng
from annotated_shadowsocks.pictures.passage import passages
from annotated_shadowsocks.pictures.recorder import Recorder
from annotated_shadowsocks.pictures.trace import Trace
from annotated_shadowsocks.tcp_model.segment import (
    ACK,
    PSH,
    SYN,
    MaximumSegmentSize,
    SackPermitted,
    Segment,
    Timestamps,
    WindowScale,
)
from annotated_shadowsocks.testing.programs import find_program
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory

pytestmark = pytest.mark.interop

#: The checksums too: 1 is "good".
_FIELDS = ("tcp.srcport", "tcp.seq", "tcp.ack", "tcp.len", "tcp.checksum.status", "frame.comment")
_CHECKS = ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")


def played() -> Trace:
    """A final ACK that is ignored, its data and the RST."""
    laboratory = Laboratory(1, settings={"tcp_syncookies": 0, "tcp_synack_retries": 1})
    laboratory.connect()
    laboratory.hold = 20_000_000
    laboratory.connect()
    client = laboratory.connect()
    laboratory.at(5)
    client.send(b"hello")
    laboratory.at(6)
    return laboratory.recorded("for other readers")


def of_both_families(version6: bool) -> Trace:
    """One conversation with every option that the model writes."""
    server = Endpoint("fd09::1" if version6 else "10.9.0.1", 5000)
    client = Endpoint("fd09::2" if version6 else "10.9.0.2", 30001)
    options = (MaximumSegmentSize(1460), SackPermitted(), Timestamps(7, 9), WindowScale(7))
    recorder = Recorder()
    recorder.sent(1, Segment(client, server, SYN, 2**32 - 1, 0, 100, options))
    recorder.sent(2, Segment(server, client, SYN | ACK, 700, 0, 200, options))
    recorder.sent(3, Segment(client, server, PSH | ACK, 0, 701, 300, options[2:3], b"odd"))
    return recorder.trace("", "")


def tshark(capture: Path, *fields: str) -> list[list[str]]:
    words = [
        find_program("tshark"),
        "-r",
        str(capture),
        *_CHECKS,
        "-T",
        "fields",
        "-E",
        "separator=\t",
    ]
    for field in fields:
        words += ["-e", field]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def written(path: Path, trace: Trace) -> Path:
    capture = path / "trace.pcapng"
    capture.write_bytes(pcapng.encode(trace))
    return capture


def test_tshark_reads_the_same_numbers_and_the_reasons(tmp_path: Path) -> None:
    trace = played()
    rows = tshark(written(tmp_path, trace), *_FIELDS)
    wanted = list(passages(trace).values())
    assert len(rows) == len(wanted) > 12
    for row, passage in zip(rows, wanted, strict=True):
        segment = passage.segment
        assert isinstance(segment, Segment)
        port, seq, ack, size, checksum, comment = row
        assert (int(port), int(size)) == (segment.src.port, len(segment.payload))
        assert (int(seq), int(ack)) == (passage.numbers.seq, passage.numbers.ack or 0)
        assert checksum == "1"
        assert comment.startswith(f"{passage.sender} > {passage.receiver}: {passage.name}")
    assert sum("ignored: the accept queue is full" in row[-1] for row in rows) == 2


def test_tshark_reads_times_to_the_nanosecond(tmp_path: Path) -> None:
    recorder = Recorder()
    segment = Segment(Endpoint("10.9.0.1", 1), Endpoint("10.9.0.2", 2), SYN, 9)
    recorder.sent(0, segment)
    recorder.sent(5_000_000_001, segment)
    capture = written(tmp_path, recorder.trace("", ""))
    assert tshark(capture, "frame.time_relative")[1] == ["5.000000001"]


@pytest.mark.parametrize("version6", [False, True])
def test_both_families_have_good_checksums(tmp_path: Path, version6: bool) -> None:
    capture = written(tmp_path, of_both_families(version6))
    rows = tshark(capture, "tcp.checksum.status", "tcp.options.mss_val", "tcp.len", "_ws.malformed")
    assert [row[0] for row in rows] == ["1", "1", "1"]
    assert [row[1] for row in rows] == ["1460", "1460", ""]
    assert [row[2] for row in rows] == ["0", "0", "3"]
    assert not any(row[3] for row in rows)


def test_tcpdump_reads_it(tmp_path: Path) -> None:
    capture = written(tmp_path, played())
    words = [find_program("tcpdump"), "-nr", str(capture)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    flags = [line.partition("Flags [")[2].partition("]")[0] for line in done.stdout.splitlines()]
    assert flags == [passage.flags for passage in passages(played()).values()]
