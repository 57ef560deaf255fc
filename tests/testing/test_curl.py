import hashlib
from collections.abc import Iterator

import pytest

from annotated_shadowsocks.testing.curl import curl, download, upload
from annotated_shadowsocks.testing.origin import Origin, random_octets
from annotated_shadowsocks.testing.programs import ProgramError, free_port

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server


def test_a_download(origin: Origin) -> None:
    url = f"http://127.0.0.1:{origin.port}/octets/700000/down"
    assert download(["--noproxy", "*", url]) == (700_000, origin.digest("/octets/700000/down"))


def test_an_upload(origin: Origin) -> None:
    url = f"http://127.0.0.1:{origin.port}/"
    sent, received = upload(["--noproxy", "*", url], random_octets(700_000))
    assert sent == received


def test_a_small_body(origin: Origin) -> None:
    url = f"http://127.0.0.1:{origin.port}/"
    done = curl("--noproxy", "*", "--data-binary", "@-", url, body=b"abc")
    assert done.stdout.decode() == hashlib.sha256(b"abc").hexdigest()


def test_what_curl_says_is_in_the_error() -> None:
    nobody = f"http://127.0.0.1:{free_port()}/"
    with pytest.raises(ProgramError, match=r"curl ended with status 7: .*connect"):
        download(["--noproxy", "*", nobody])
    with pytest.raises(ProgramError, match=r"curl ended with status 7: .*connect"):
        upload(["--noproxy", "*", nobody], random_octets(10_000_000))
