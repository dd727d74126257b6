"""A small internet of its own: run in new network and mount namespaces (unshare -n -m), with public addresses on its
loopback interface, a name server that says what it is told, and TLS servers at every address.
usage: outside_world.py DIRECTORY ADDRESS...; then a JSON line per order on standard input, a JSON line per answer on
standard output:
  {"names": {"a.example": [["1.2.3.4"], ["127.0.0.1"]]}}  what questions for A and AAAA get, one after the other; the last
                                                         list for all that follow; null: no answer at all
  {"page": ["1.2.3.4", "/jwks", {...}]}                  publishes a document
  {"report": true}                                       questions asked, and connections and paths of each address"""
import ctypes
import fcntl
import ipaddress
import json
import os
import socket
import struct
import subprocess
import sys
import threading

import outside

SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP, MS_REC, MS_PRIVATE = 0x8914, 0x8916, 1, 0x4000, 1 << 18


def loopback_up(addresses):
    """lo, and an alias of it for each IPv4 address; IPv6 through ip."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))
        for number, address in enumerate(addresses):
            if address == "::1":
                continue
            if ":" in address:
                subprocess.run(["ip", "-6", "addr", "add", address + "/128", "dev", "lo", "nodad"], check=True)
            elif not address.startswith("127."):
                name = f"lo:{number + 1}".encode()
                fcntl.ioctl(control, SIOCSIFADDR, struct.pack("16sHH4s8x8x", name, socket.AF_INET, 0, socket.inet_aton(address)))


def own_resolver(directory):
    """resolv.conf of this mount namespace alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    for name, text in (("resolv.conf", "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n"), ("nsswitch.conf", "hosts: files dns\n"),
                       ("hosts", "127.0.0.1 localhost\n")):
        path = os.path.join(directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o644)
        subprocess.run(["mount", "--bind", path, "/etc/" + name], check=True)


class NameServer:
    """Answers questions for A and AAAA (RFC 1035), as told."""

    def __init__(self):
        self.names, self.asked = {}, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            question, peer = self.socket.recvfrom(512)
            answer = self.answer(question)
            if answer:
                self.socket.sendto(answer, peer)

    def answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        kind = struct.unpack_from(">H", question, at + 1)[0]
        name, section = ".".join(labels).lower(), question[12:at + 5]
        self.asked.append([name, kind])
        if name not in self.names:
            return question[:2] + struct.pack(">HHHHH", 0x8183, 1, 0, 0, 0) + section
        turns = self.names[name]
        if turns[0] is None:
            return None
        addresses = [ipaddress.ip_address(a) for a in turns[0]]
        wanted = [a for a in addresses if kind == {4: 1, 6: 28}[a.version]]
        if kind == {4: 1, 6: 28}[addresses[0].version] and len(turns) > 1:
            turns.pop(0)
        records = b"".join(struct.pack(">HHHIH", 0xc00c, kind, 1, 0, len(a.packed)) + a.packed for a in wanted)
        return question[:2] + struct.pack(">HHHHH", 0x8180, 1, len(wanted), 0, 0) + section + records


def obey(order, names, machines):
    if "names" in order:
        names.names.update(order["names"])
    if "page" in order:
        address, path, document = order["page"]
        machines[address].put(path, document)
    if "report" in order:
        return {"asked": names.asked, "machines": {a: {"connections": m.connections, "hits": m.hits} for a, m in machines.items()}}
    return {}


def main():
    directory, addresses = sys.argv[1], sys.argv[2:]
    loopback_up(addresses)
    own_resolver(directory)
    names = NameServer()
    authority = outside.Authority(directory)
    context = authority.server_context("*.client.example", *addresses)
    machines = {address: outside.Machine(context, (address, 443)) for address in addresses}
    print(json.dumps({"ca_file": authority.path}), flush=True)
    for line in sys.stdin:
        print(json.dumps(obey(json.loads(line), names, machines)), flush=True)


if __name__ == "__main__":
    main()
