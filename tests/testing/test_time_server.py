import socket

from annotated_shadowsocks.testing.time_server import TimeServer


def test_an_answer_has_the_time_and_the_number_of_the_question() -> None:
    # RFC 5905 section 7.3: 48 octets; the last eight are the transmit timestamp, which an answer
    # repeats as its origin timestamp, from octet 24. Section 6: 1970 is 2208988800.
    question = bytes([0x23]) + bytes(39) + b"question"
    with (
        TimeServer(1_700_000_000) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sock.settimeout(30)
        sock.sendto(b"too short", server.endpoint)
        sock.sendto(question, server.endpoint)
        answer = sock.recv(100)
    assert len(answer) == 48
    assert answer[:2] == bytes([0x24, 1])
    assert answer[24:32] == b"question"
    assert answer[40:] == (1_700_000_000 + 2_208_988_800).to_bytes(4, "big") + bytes(4)
