"""A site on another origin: keeps the forms it is sent, and can send a browser anywhere by a form of its own."""
import html
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


class Receiver:
    """host localhost is the provider's site with another port; 127.0.0.1 is another site."""

    def __init__(self, host="localhost"):
        self.received = []
        self.pages = {}  # path -> HTML, or a script where it ends in .js
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.origin = f"http://{host}:{self.server.server_port}"
        self.url = self.origin + "/callback"

    def handler(receiver):  # pylint: disable=no-self-argument
        class Handler(BaseHTTPRequestHandler):
            def answer(self, method, text):
                path = urlsplit(self.path).path
                if path == "/callback":
                    receiver.received.append((method, dict(parse_qsl(text))))
                body = receiver.pages.get(path, '<!doctype html><title>Received</title><p id="received">received').encode()
                self.send_response(200)
                self.send_header("Content-Type", f"text/{'javascript' if path.endswith('.js') else 'html'}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer("GET", urlsplit(self.path).query)

            def do_POST(self):
                self.answer("POST", self.rfile.read(int(self.headers["Content-Length"])).decode())

            def log_message(self, *_):
                pass
        return Handler

    def form_to(self, path, action, fields):
        """A page at path that posts these fields as soon as it is open; its address."""
        inputs = "".join(f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">' for name, value in fields.items())
        self.pages[path] = (f'<!doctype html><title>Elsewhere</title><form method="post" action="{html.escape(action)}">{inputs}</form>'
                            "<script>document.forms[0].submit()</script>")
        return self.origin + path

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
