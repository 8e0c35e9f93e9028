# SPDX-License-Identifier: GPL-2.0
"""The little of rtnetlink that the benchmarks of the control plane need."""

import ctypes
import os
import socket
import struct

RTM_NEWLINK, RTM_NEWROUTE, RTM_GETROUTE = 16, 24, 26
REQUEST, ACK, REPLACE, CREATE = 1, 4, 0x100, 0x400
NLMSG_ERROR = 2
CLONE_NEWNET = 0x40000000
RTA_DST, RTA_OIF, RTA_GATEWAY = 1, 4, 5
RTM_F_FIB_MATCH = 0x2000
TABLE_MAIN, PROTO_BGP, SCOPE_UNIVERSE, SCOPE_LINK, UNICAST = 254, 186, 0, 253, 1

_libc = ctypes.CDLL(None, use_errno=True)


def _check(rc, what):
    if rc:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def unshare():
    """A new network namespace for this thread; raises OSError."""
    _check(_libc.unshare(CLONE_NEWNET), "unshare")


def enter(fd):
    """Goes to another network namespace."""
    _check(_libc.setns(fd, CLONE_NEWNET), "setns")


def attribute(kind, data):
    """One attribute, padded."""
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def message(kind, flags, body, seq=0):
    """One message."""
    return struct.pack("=IHHII", 16 + len(body), kind, flags, seq, 0) + body


def route(prefix, gateway=None, ifindex=0, flags=REQUEST | ACK | CREATE | REPLACE, seq=0):
    """RTM_NEWROUTE of an ipaddress network, by an ipaddress address or a device."""
    family = socket.AF_INET if prefix.version == 4 else socket.AF_INET6
    scope = SCOPE_LINK if gateway is None and prefix.version == 4 else SCOPE_UNIVERSE
    body = struct.pack("=BBBBBBBBI", family, prefix.prefixlen, 0, 0, TABLE_MAIN, PROTO_BGP, scope, UNICAST, 0)
    body += attribute(RTA_DST, prefix.network_address.packed)
    if gateway is not None:
        body += attribute(RTA_GATEWAY, gateway.packed)
    if ifindex:
        body += attribute(RTA_OIF, struct.pack("=I", ifindex))
    return message(RTM_NEWROUTE, flags, body, seq)


def link_up(ifindex, flags=REQUEST | ACK, seq=0):
    """RTM_NEWLINK that sets IFF_UP."""
    return message(RTM_NEWLINK, flags, struct.pack("=BBHiII", 0, 0, 0, ifindex, 1, 1), seq)


def find(prefix):
    """RTM_GETROUTE that asks which prefix routes the first address of this one."""
    family = socket.AF_INET if prefix.version == 4 else socket.AF_INET6
    size = prefix.max_prefixlen
    body = struct.pack("=BBBBBBBBI", family, size, 0, 0, 0, 0, 0, 0, RTM_F_FIB_MATCH)
    return message(RTM_GETROUTE, REQUEST, body + attribute(RTA_DST, prefix.network_address.packed))


class Session:
    """A netlink socket of the namespace in which it was made."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.socket.bind((0, 0))

    def ask(self, request):
        """Sends one message and takes one answer, as bytes."""
        self.socket.send(request)
        return self.socket.recv(65536)

    def change(self, request, answers=1):
        """Sends messages with ACK in one packet; raises what the kernel refuses."""
        self.socket.send(request)
        while answers:
            data = self.socket.recv(65536)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                error = struct.unpack_from("=i", data, 16)[0]
                if kind == NLMSG_ERROR and error:
                    raise OSError(-error, os.strerror(-error))
                data = data[(length + 3) & ~3:]
                answers -= 1

    def has(self, prefix):
        """Whether this very prefix has a route (none that is longer matches its first address)."""
        answer = self.ask(find(prefix))
        kind = struct.unpack_from("=H", answer, 4)[0]
        return kind == RTM_NEWROUTE and answer[17] == prefix.prefixlen
