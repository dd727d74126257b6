#!/usr/bin/python3 -B
"""Raw requests whose framing is broken, ambiguous or merely unusual, aimed at one server or at a proxy before it.

Straight at a server each row has exactly one outcome: the statuses of its replies, in order, up to the close. Through
a proxy (--proxied) the proxy may refuse by itself, and may read on behind a request that it could delimit; what it
may never do is answer a request that was hidden in another one's body. After every row an ordinary request must get
its own reply, so that a request left over in a pooled connection would be noticed.

usage: framing.py [--proxied] [--get PATH] [--post PATH] HOST:PORT | unix:PATH
  --get PATH   answered to GET, whatever the status (default /.live)
  --post PATH  takes a form by POST, whatever the status; without it the rows that need a body are left out
"""
import argparse
import dataclasses
import re
import socket
import sys

PATIENCE_S = 10


@dataclasses.dataclass
class Row:
    name: str
    text: str          # {get} and {post} are paths, {tail} a good last GET
    direct: str        # statuses; G what a good GET gets, P what a good POST gets
    hidden: bool = False      # {tail} lies where a reader could take it for a body: it must not be answered
    proxied: tuple = ()       # what the first reply through a proxy may be besides the direct one and a refusal
    heads: int = 0            # how many of the first replies are to HEAD

    @property
    def needs_post(self):
        return "{post}" in self.text


TAIL = "GET {get} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
GET = "GET {get} HTTP/1.1\r\nHost: localhost\r\n"
HEAD = "HEAD {get} HTTP/1.1\r\nHost: localhost\r\n"
POST = "POST {post} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
CODING = POST + "Transfer-Encoding: "
CHUNKED = CODING + "chunked\r\n\r\n"
NONE = "\r\n\r\n0\r\n\r\n{tail}"  # an empty body, if it is read in chunks
CLOSE = GET + "Connection: close\r\n"
SIZED = "Content-Length: {tail_len}\r\n\r\n{tail}"  # the last GET as a body


def hidden(name, text, direct, **more):
    return Row(name, text, direct, hidden=True, **more)


ROWS = [
    # what is well-formed
    Row("a request", "{tail}", "G"),
    Row("two at once", GET + "\r\n{tail}", "G G"),
    Row("one empty line before", "\r\n{tail}", "G"),
    Row("HEAD", HEAD + "\r\n{tail}", "G G", heads=1),
    Row("absolute-form", "GET http://localhost{get} HTTP/1.1\r\nHost: localhost\r\n\r\n{tail}", "G G"),
    Row("POST with a length", POST + "Content-Length: 3\r\n\r\na=b{tail}", "P G"),
    Row("POST in chunks", CHUNKED + "1\r\na\r\n2;x=y\r\n=b\r\n0\r\nX: y\r\n\r\n{tail}", "P G"),
    Row("POST with white space behind a chunk's size", CHUNKED + "3 ;x\r\na=b\r\n0\r\n\r\n{tail}", "P G"),
    Row("an expected continue", POST + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\na=b{tail}", "P G"),
    Row("HTTP/1.0 ends the connection", "GET {get} HTTP/1.0\r\n\r\n{tail}", "G"),
    Row("close is obeyed", GET + "Connection: x, close\r\n\r\n{tail}", "G"),
    # the request line
    Row("bare line feeds", "GET {get} HTTP/1.1\nHost: localhost\n\n{tail}", "400", proxied=("G",)),
    Row("bare line feed behind the line", "GET {get} HTTP/1.1\nHost: localhost\r\n\r\n{tail}", "400", proxied=("G",)),
    Row("bare carriage return", "GET {get} HTTP/1.1\rHost: localhost\r\n\r\n{tail}", "400"),
    Row("two spaces", "GET  {get} HTTP/1.1\r\nHost: localhost\r\n\r\n{tail}", "400", proxied=("G",)),
    Row("space before the method", " GET {get} HTTP/1.1\r\nHost: localhost\r\n\r\n{tail}", "400"),
    Row("space behind the version", "GET {get} HTTP/1.1 \r\nHost: localhost\r\n\r\n{tail}", "400", proxied=("G",)),
    Row("a tab for a space", "GET\t{get} HTTP/1.1\r\nHost: localhost\r\n\r\n{tail}", "400"),
    Row("no version", "GET {get}\r\n\r\n{tail}", "400", proxied=("headless",)),
    Row("HTTP/2.0", "GET {get} HTTP/2.0\r\nHost: localhost\r\n\r\n{tail}", "505"),
    Row("HTTP/1.9", "GET {get} HTTP/1.9\r\nHost: localhost\r\n\r\n{tail}", "505", proxied=("G",)),
    Row("HTTP/1.1 in lower case", "GET {get} http/1.1\r\nHost: localhost\r\n\r\n{tail}", "400"),
    Row("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"),
    Row("TLS", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03{tail}", "400"),
    Row("method that is no token", "G(T {get} HTTP/1.1\r\nHost: localhost\r\n\r\n{tail}", "400"),
    Row("method without end", "A" * 40 + " {get} HTTP/1.1\r\nHost: localhost\r\n\r\n{tail}", "501"),
    Row("CONNECT", "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n{tail}", "501"),
    Row("asterisk for GET", "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n{tail}", "400"),
    Row("target without a slash", "GET x HTTP/1.1\r\nHost: localhost\r\n\r\n{tail}", "400"),
    Row("fragment", "GET {get}#x HTTP/1.1\r\nHost: localhost\r\n\r\n{tail}", "400", proxied=("G",)),
    Row("escaped NUL", "GET {get}%00 HTTP/1.1\r\nHost: localhost\r\n\r\n{tail}", "400"),
    Row("escaped line end", "GET {get}%0d%0aX HTTP/1.1\r\nHost: localhost\r\n\r\n{tail}", "400"),
    Row("half an escape", "GET {get}%4 HTTP/1.1\r\nHost: localhost\r\n\r\n{tail}", "400"),
    Row("NUL in the path", "GET {get}\0 HTTP/1.1\r\nHost: localhost\r\n\r\n{tail}", "400"),
    Row("bytes that are no ASCII", "GET {get}\xe9 HTTP/1.1\r\nHost: localhost\r\n\r\n{tail}", "400"),
    Row("user in absolute-form", "GET http://a@b{get} HTTP/1.1\r\nHost: b\r\n\r\n{tail}", "400", proxied=("G",)),
    Row("request line too long", "GET {get}?" + "a" * 9000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n{tail}", "414"),
    # fields
    Row("no Host", "GET {get} HTTP/1.1\r\n\r\n{tail}", "400"),
    Row("two Hosts", GET + "Host: b\r\n\r\n{tail}", "400"),
    Row("Host that is none", "GET {get} HTTP/1.1\r\nHost: a b\r\n\r\n{tail}", "400"),
    Row("space before the colon", GET + "X : y\r\n\r\n{tail}", "400", proxied=("G",)),
    Row("folded field", GET + "X: y\r\n z\r\n\r\n{tail}", "400", proxied=("G",)),
    Row("field before the first folded", "GET {get} HTTP/1.1\r\n Host: localhost\r\n\r\n{tail}", "400"),
    Row("field without a colon", GET + "X\r\n\r\n{tail}", "400", proxied=("G",)),
    Row("field without a name", GET + ": x\r\n\r\n{tail}", "400", proxied=("G",)),
    Row("NUL in a field", GET + "X: a\0b\r\n\r\n{tail}", "400"),
    Row("control byte in a field", GET + "X: a\x01b\r\n\r\n{tail}", "400", proxied=("G",)),
    Row("bare carriage return in a field", GET + "X: a\rb\r\n\r\n{tail}", "400", proxied=("G",)),
    Row("a field too large", GET + "X: " + "a" * 20000 + "\r\n\r\n{tail}", "431"),
    Row("fields too many", GET + "X: y\r\n" * 200 + "\r\n{tail}", "431", proxied=("G",)),
    Row("an expectation of its own", GET + "Expect: miracles\r\n\r\n{tail}", "417", proxied=("G",)),
    # where a body ends
    hidden("two lengths", POST + "Content-Length: 0\r\nContent-Length: 3\r\n\r\n{tail}", "400"),
    hidden("the same length twice", POST + "Content-Length: 3\r\nContent-Length: 3\r\n\r\na=b{tail}", "400"),
    hidden("a list of lengths", POST + "Content-Length: 3, 3\r\n\r\na=b{tail}", "400"),
    hidden("length with a sign", POST + "Content-Length: +3\r\n\r\na=b{tail}", "400"),
    hidden("negative length", POST + "Content-Length: -1\r\n\r\n{tail}", "400"),
    hidden("length in hex", POST + "Content-Length: 0x3\r\n\r\na=b{tail}", "400"),
    hidden("length without digits", POST + "Content-Length: \r\n\r\n{tail}", "400"),
    hidden("length beyond 64 bits", POST + "Content-Length: 18446744073709551616\r\n\r\n{tail}", "413"),
    hidden("length over the bound", POST + "Content-Length: 100000000\r\n\r\n{tail}", "413"),
    hidden("length and chunks", POST + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{tail}", "400"),
    hidden("chunks and length", CODING + "chunked\r\nContent-Length: 5" + NONE, "400"),
    hidden("chunks in HTTP/1.0", "POST {post} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{tail}", "400"),
    hidden("chunked twice", CODING + "chunked\r\nTransfer-Encoding: chunked" + NONE, "400"),
    hidden("chunked in a list twice", CODING + "chunked, chunked" + NONE, "400"),
    hidden("chunked, then identity", CODING + "chunked, identity" + NONE, "400"),
    hidden("identity", POST + "Transfer-Encoding: identity\r\n\r\n{tail}", "400"),
    hidden("gzip under chunked", CODING + "gzip, chunked" + NONE, "501"),
    hidden("a coding of its own", CODING + "xchunked" + NONE, "400"),
    hidden("chunked behind a vertical tab", CODING + "\x0bchunked" + NONE, "400"),
    hidden("chunked in quotes", CODING + '"chunked"' + NONE, "400"),
    Row("space before the coding's colon", POST + "Transfer-Encoding : chunked" + NONE, "400", proxied=("P",)),
    hidden("coding on a folded line", POST + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{tail}", "400"),
    Row("coding behind a bare line feed", POST + "X: y\nTransfer-Encoding: chunked" + NONE, "400", proxied=("P",)),
    hidden("chunk size that is none", CHUNKED + "g\r\n{tail}", "400"),
    hidden("chunk size with a sign", CHUNKED + "+3\r\na=b\r\n0\r\n\r\n{tail}", "400"),
    hidden("chunk size with 0x", CHUNKED + "0x3\r\na=b\r\n0\r\n\r\n{tail}", "400"),
    hidden("chunk size beyond 64 bits", CHUNKED + "10000000000000003\r\na=b\r\n0\r\n\r\n{tail}", "400"),
    hidden("chunk size over the bound", CHUNKED + "ffffff\r\n{tail}", "413"),
    hidden("chunk longer than its size", CHUNKED + "2\r\na=b\r\n0\r\n\r\n{tail}", "400"),
    Row("chunk lines with bare line feeds", CHUNKED + "3\na=b\n0\n\n{tail}", "400", proxied=("P",)),
    Row("bare line feed in an extension", CHUNKED + "3;x\na=b\r\n0\r\n\r\n{tail}", "400", proxied=("P",)),
    Row("trailer that is none", CHUNKED + "0\r\nX y\r\n\r\n{tail}", "400", proxied=("P",)),
    # bodies where hardly anybody sends one: read, or the connection is closed, never taken for the next request
    hidden("GET with a body", CLOSE + SIZED, "413", proxied=("G",)),
    hidden("HEAD with a body", CLOSE.replace("GET", "HEAD") + SIZED, "413", proxied=("G",), heads=1),
    hidden("HEAD in chunks",
           CLOSE.replace("GET", "HEAD") + "Transfer-Encoding: chunked\r\n\r\n{tail_hex}\r\n{tail}" + "\r\n0\r\n\r\n",
           "413", proxied=("G",), heads=1),
    hidden("DELETE with a body", CLOSE.replace("GET", "DELETE") + SIZED, "405"),
    hidden("POST of a request", POST + "Connection: close\r\n" + SIZED, "P"),
]


class Target:
    def __init__(self, address, get, post, proxied):
        self.address, self.get, self.post, self.proxied = address, get, post, proxied
        tail = TAIL.replace("{get}", get)
        self.words = {"{tail}": tail, "{tail_len}": str(len(tail)), "{tail_hex}": f"{len(tail):x}", "{get}": get,
                      "{post}": post or ""}
        self.good = {"G": self.statuses(TAIL)}
        if post:
            self.good["P"] = self.statuses(POST + "Content-Length: 3\r\nConnection: close\r\n\r\na=b")

    def connect(self):
        if self.address.startswith("unix:"):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(PATIENCE_S)
            connection.connect(self.address[len("unix:"):])
            return connection
        host, port = self.address.rsplit(":", 1)
        return socket.create_connection((host.strip("[]"), int(port)), PATIENCE_S)

    def send(self, text):
        """Everything that comes back up to the close."""
        for word, value in self.words.items():
            text = text.replace(word, value)
        heard = b""
        with self.connect() as connection:
            try:
                connection.sendall(text.encode("latin-1"))
                while piece := connection.recv(65536):
                    heard += piece
            except (ConnectionResetError, BrokenPipeError):
                heard += b"" if self.proxied else b"HTTP/1.1 000 reset\r\n\r\n"
            except socket.timeout:
                heard += b"HTTP/1.1 000 timeout\r\n\r\n"
        return heard

    def statuses(self, text, heads=0):
        """The statuses of the replies, without the 100s; "headless" for one without a status line (HTTP/0.9)."""
        heard, found = self.send(text), []
        while heard:
            head, _, heard = heard.partition(b"\r\n\r\n")
            line = re.match(rb"HTTP/1\.[01] (\d\d\d) ", head)
            if line is None:
                return " ".join(found + ["headless"])
            if line[1] == b"100":
                continue
            found.append(line[1].decode())
            length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
            if len(found) <= heads or line[1] in (b"204", b"304", b"000"):
                continue
            if length is None and re.search(rb"\r\ntransfer-encoding: *chunked", head, re.I):
                while (size := int(heard.partition(b"\r\n")[0].partition(b";")[0] or b"0", 16)) > 0:
                    heard = heard.partition(b"\r\n")[2][size + 2:]
                heard = heard.partition(b"\r\n\r\n")[2]
            else:
                heard = heard[int(length[1]):] if length else b""
        return " ".join(found)

    def judge(self, row):
        """None, or what is wrong."""
        expected = " ".join(self.good.get(status, status) for status in row.direct.split())
        got = self.statuses(row.text, row.heads)
        if got != expected and not (self.proxied and self.tolerable(row, expected, got)):
            return f"expected {expected or 'nothing'}, got {got or 'nothing'}"
        for _ in range(3 if self.proxied else 1):
            after = self.statuses(TAIL)
            if after != self.good["G"]:
                return f"the next ordinary request got {after}"
        return None

    def tolerable(self, row, expected, got):
        replies = got.split()
        if not replies:
            return True  # refused without a word
        if "000" in replies or "headless" in replies[1:] or len(replies) > (1 if row.hidden else 2):
            return False
        allowed = [expected.split()[0]] + [self.good.get(status, status) for status in row.proxied]
        return replies[0] in allowed or replies[0][0] in "45"

    def run(self):
        """How many rows apply, and what was wrong: [(name, what)]."""
        rows = [row for row in ROWS if self.post or not row.needs_post]
        return len(rows), [(row.name, wrong) for row in rows if (wrong := self.judge(row))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proxied", action="store_true")
    parser.add_argument("--get", default="/.live")
    parser.add_argument("--post")
    parser.add_argument("target")
    args = parser.parse_args()
    count, wrong = Target(args.target, args.get, args.post, args.proxied).run()
    for name, what in wrong:
        print(f"{args.target}: {name}: {what}")
    print(f"{args.target}: {count - len(wrong)} of {count} rows as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
