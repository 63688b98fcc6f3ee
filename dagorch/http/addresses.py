"""Addresses of the public internet: where another party may send us, and where it may not."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

import anyio

__all__ = ["is_public", "public_addresses"]

_NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """
    Return whether an IP address belongs to the public internet.

    Example:
        >>> is_public("93.184.216.34"), is_public("10.0.0.1"), is_public("::ffff:127.0.0.1")
        (True, False, False)
    """
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):  # some stand for one of IPv4
        embedded = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            embedded = IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = embedded or ip
    return ip.is_global and not ip.is_multicast


async def public_addresses(host: str, port: int) -> list[str]:
    """
    Resolve a host that another party named. Connect to what is returned, not to the name: a
    second look-up may have another answer.

    Raises:
        OSError: It cannot be resolved, or one of its addresses is not public.
    """
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(info[4][0] for info in found))
    if private := [address for address in addresses if not is_public(address)]:
        raise OSError(f"{host} has the address {private[0]}, which is not of the public internet")
    return addresses
