"""A TUN device: what the kernel routes to it we read, and what we write arrives at the kernel.

Each read is one IP packet, and so is each write. The device lives as long as its descriptor; it is
never made persistent, so that it goes with the process.

An address is set as [man netdevice(7)] has it, which is old, short and enough: one address of each
family and the route to its network, which leads to us. Netlink would take three times the code.
"""

import errno
import fcntl
import ipaddress
import os
import socket
import struct
import time
from pathlib import Path
from types import TracebackType

from .netns import NamespaceError, interface_up
from .procfs import SELF_NET, read

__all__ = ["Tun"]

_DEVICE = "/dev/net/tun"
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_SIOCSIFADDR = 0x8916
_SIOCSIFNETMASK = 0x891C
_SIOCGIFINDEX = 0x8933

_IFREQ = struct.Struct("16sh14x")
_IFREQ_INDEX = struct.Struct("16si12x")
# struct ifreq with a struct sockaddr_in
_IFREQ_V4 = struct.Struct("16sHH4s8x")
# struct in6_ifreq
_IFREQ_V6 = struct.Struct("16sIi")

_LARGEST = 65535
_TENTATIVE = 0x40
#: Seconds in which an IPv6 address that nobody contests is surely usable.
_PATIENCE = 5.0

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


class Tun:
    """A TUN device in the thread's namespace; ``name`` may end in ``%d`` for a free number.

    Raises ``NamespaceError``.
    """

    def __init__(self, name: str = "wire%d") -> None:
        try:
            self._descriptor = os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise _refused(error) from error
        try:
            asked = _IFREQ.pack(name.encode(), _IFF_TUN | _IFF_NO_PI)
            given = fcntl.ioctl(self._descriptor, _TUNSETIFF, asked)
        except OSError as error:
            os.close(self._descriptor)
            raise _refused(error, name) from error
        self.name: str = _IFREQ.unpack(given)[0].rstrip(b"\0").decode()

    def fileno(self) -> int:
        """For select(2): readable when a packet waits."""
        return self._descriptor

    def configure(self, *addresses: Interface) -> None:
        """Set addresses, one of each family, and come up; call it in the device's namespace.

        Raises ``NamespaceError``.
        """
        # No router is asked and no address made up: nothing is on this wire that was not put there.
        quiet = Path("/proc/sys/net/ipv6/conf", self.name)
        if quiet.is_dir():
            (quiet / "accept_ra").write_text("0", "ascii")
            (quiet / "addr_gen_mode").write_text("1", "ascii")
        try:
            interface_up(self.name)
            for address in addresses:
                self._add(address)
        except OSError as error:
            what = f"{self.name} with {', '.join(map(str, addresses))}"
            raise NamespaceError(what, error.strerror or str(error), error.errno) from error

    def read(self) -> bytes | None:
        """The next packet, or None where none waits."""
        try:
            return os.read(self._descriptor, _LARGEST)
        except BlockingIOError:
            return None

    def write(self, packet: bytes) -> None:
        """Have a packet arrive at the kernel. What it cannot take is lost, as on any wire."""
        try:
            os.write(self._descriptor, packet)
        except OSError as error:
            # [linux tun_get_user] EIO while the device is down, EINVAL for what is no IP packet
            if error.errno not in (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.EIO):
                raise

    def close(self) -> None:
        """Remove the device."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> "Tun":
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _add(self, address: Interface) -> None:
        name = self.name.encode()
        if isinstance(address, ipaddress.IPv4Interface):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                for request, value in (
                    (_SIOCSIFADDR, address.ip),
                    (_SIOCSIFNETMASK, address.netmask),
                ):
                    fcntl.ioctl(
                        sock, request, _IFREQ_V4.pack(name, socket.AF_INET, 0, value.packed)
                    )
            return
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            index = fcntl.ioctl(sock, _SIOCGIFINDEX, _IFREQ_INDEX.pack(name, 0))
            prefix = address.network.prefixlen
            number = _IFREQ_INDEX.unpack(index)[1]
            fcntl.ioctl(sock, _SIOCSIFADDR, _IFREQ_V6.pack(address.ip.packed, prefix, number))
        self._await_usable(address.ip)

    def _await_usable(self, address: ipaddress.IPv6Address) -> None:
        """Wait until the kernel has made up its mind that nobody else has the address.

        [linux addrconf_dad_begin] It asks nobody on a device without neighbours, but a worker says
        so, in its own time.
        """
        wanted = address.packed.hex()
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            for line in read(f"{SELF_NET}/if_inet6").splitlines():
                fields = line.split()
                if fields[0] == wanted and not int(fields[4], 16) & _TENTATIVE:
                    return
            time.sleep(0.001)
        raise NamespaceError(f"{address} on {self.name}", "the kernel still calls it tentative")


def _refused(error: OSError, name: str = "") -> NamespaceError:
    subject = f"a TUN device{f' {name!r}' if name else ''}"
    reasons = {
        errno.ENOENT: f"there is no {_DEVICE}; as root: modprobe tun",
        errno.ENODEV: f"{_DEVICE} has no driver; as root: modprobe tun",
        errno.EPERM: "only root may (CAP_NET_ADMIN)",
        errno.EACCES: f"no permission for {_DEVICE}",
        errno.EBUSY: "a device of that name is in use",
        errno.EINVAL: "that is no name for one",
    }
    reason = reasons.get(error.errno or 0) or error.strerror or str(error)
    return NamespaceError(subject, reason, error.errno)
