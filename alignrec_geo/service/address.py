"""The address that a service listens at."""

import errno
import ipaddress
import os
import socket

from alignrec_geo.errors import InputError


def bound(host: str, port: int) -> socket.socket:
    """Return a listening socket: whoever connects before the run is open waits for the answer.

    Args:
        host: an address of this machine, or its name.
        port: 0 for any that is free.

    Raises:
        InputError: no such address, or the port is in use or not allowed.
    """
    if not 0 <= port <= 65535:
        raise InputError(f"port must be from 0 to 65535 (got {port})")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise InputError(f"host: this machine has no address '{host}'") from None
    made = socket.socket(family, kind, protocol)
    if os.name == "posix":  # elsewhere it would let two services share the port
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(address)
        made.listen()  # not only bound: two services that start at once would both be
    except OSError as error:
        made.close()
        raise InputError(_why(host, port, error)) from None
    made.set_inheritable(True)
    return made


def url(listening: socket.socket) -> str:
    """The address of a socket as a browser takes it."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(listening: socket.socket) -> bool:
    """Whether only this machine reaches a socket."""
    return ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_loopback


def _why(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use; stop what uses it, or name another with port="
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} of {host} may not be used by this user; name one above 1023 with port="
    if error.errno == errno.EADDRNOTAVAIL:
        return f"host: this machine has no address '{host}'"
    return f"{host}:{port}: {error.strerror or error}"
