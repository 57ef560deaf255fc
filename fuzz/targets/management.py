"""What a panel may send to the manager."""

from contextlib import suppress

from annotated_shadowsocks.errors import RemoteProtocolError
from annotated_shadowsocks.manager_protocol.requests import parse_request, print_request

__all__ = ["TARGETS"]


def manager_request(data: bytes) -> None:
    """A request that was understood says the same again, and an error quotes nothing."""
    with suppress(RemoteProtocolError):
        request = parse_request(data)
        if request is not None:
            assert parse_request(print_request(request)) == request


TARGETS = {"manager-request": manager_request}
