import pytest

from annotated_shadowsocks.testing.sip022 import TIME, VECTORS, scripted, timestamps


def test_scripted_entropy_gives_its_pieces_and_no_others() -> None:
    entropy = scripted(b"ab", b"c")
    assert entropy(2) == b"ab"
    with pytest.raises(AssertionError, match="asked for 2 octets of entropy, scripted are 1"):
        entropy(2)
    with pytest.raises(AssertionError, match="more than were scripted"):
        entropy(1)


def test_the_vectors_begin_with_their_salts() -> None:
    for vector in VECTORS.values():
        assert vector.request.startswith(vector.request_salt)
        assert vector.response.startswith(vector.response_salt)
        assert not vector.identity_request or vector.identity_header in vector.identity_request


def test_time_stands_where_it_is_put() -> None:
    assert timestamps().now() == TIME
    assert timestamps(ahead=-1.5).now() == TIME - 2
