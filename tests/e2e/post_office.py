"""An installation of a test's own that sends mail: op-auth, op-async, and the operator's mail server."""
import contextlib
import itertools
import os

from conftest import free_port
from mail_server import MailServer
from server_process import Home, wait_until
from visitor import PASSWORD, OpAuth, Visitor

NEW_PASSWORD = "a much better password"
numbers = itertools.count(1)
QUICKLY = {"password_memory": "8MiB", "password_iterations": "1", "op_auth__address_guesses": "100000",
           "op_async__outbox_retry_first": "1s", "op_async__outbox_retry_max": "1s", "op_async__mail_timeout": "10s"}


class PostOffice:
    """scheme smtp goes by STARTTLS. The mail server is there when it was opened."""

    def __init__(self, authority=None, scheme="smtp", password=None, **settings):
        self.authority, self.scheme, self.password, self.server = authority, scheme, password, None
        self.port = free_port()
        mail = {"mail_server": f"{scheme}://localhost:{self.port}", "mail_from": "op@example.org", "name": "Haus & Hof",
                "op_async__mail_starttls": "yes" if authority else "no"}
        if authority:
            mail["op_async__mail_ca_file"] = authority.path
        if password:
            mail["op_async__mail_user"] = "op"
        self.settings = {**QUICKLY, **mail, **settings}
        self.home = Home(**self.settings)
        self.carriers = []
        self.auth = None

    def open_server(self, context=None, **options):
        context = context or (self.authority.server_context("localhost") if self.authority else None)
        self.server = MailServer(self.port, context, self.scheme == "smtps", self.password, **options)
        return self.server

    def close_server(self):
        if self.server:
            self.server.close()
        self.server = None

    def give_password(self, text):
        with open(os.path.join(self.home.credentials, "mail-password"), "w", encoding="utf-8") as file:
            file.write(text)

    def carrier(self, *options):
        """An op-async process."""
        self.carriers.append(self.home.start("op-async", *options).wait_ready())
        return self.carriers[-1]

    def make_outbox_anew(self, size):
        """While nobody has it open."""
        for name in ("data.mdb", "lock.mdb", "bell"):
            os.unlink(os.path.join(self.home.dir, "state", "outbox", name))
        self.home.opctl("init", "--unowned", "--map-size", f"outbox={size}")

    def person(self, *claims, verified=True):
        """(username, address) of somebody new."""
        name = f"person-{next(numbers)}"
        address = f"{name}@example.org"
        words = [word for claim in (f"email={address}", *claims) for word in ("--claim", claim)]
        self.home.opctl("user", "add", name, *words, *(["--email-verified"] if verified else []), secret=PASSWORD + "\n")
        return name, address

    def change(self, name):
        """Somebody sets another password."""
        assert "Your password has been changed" in AccountPage(self, name).change_password().text

    def change_as_operator(self, name):
        return self.home.opctl("user", "password", name, secret=NEW_PASSWORD + "\n")

    def messages(self, *options):
        return self.home.opctl("outbox", "list", *options)

    def drop_all(self):
        """Whatever a test has left; some may leave by themselves meanwhile."""
        for message in self.messages():
            with contextlib.suppress(AssertionError):
                self.home.opctl("outbox", "drop", message["id"])

    def message_to(self, address):
        return next((message for message in self.messages() if message["to"] == address), None)

    def wait_letter(self, address, seconds=20):
        wait_until(lambda: self.server.to(address), seconds, lambda: self.log + str(self.messages()))
        letter, = self.server.to(address)
        return letter

    def wait_empty(self, seconds=20):
        wait_until(lambda: not self.messages(), seconds, lambda: self.log + str(self.messages()))

    @property
    def log(self):
        return "".join(carrier.log for carrier in self.carriers)

    def events(self, name):
        return [event for carrier in self.carriers for event in carrier.events(name)]

    def close(self):
        self.home.close()
        self.close_server()


@contextlib.contextmanager
def post_office(*args, **settings):
    made = PostOffice(*args, **settings)
    try:
        yield made
    finally:
        made.close()


class AccountPage:
    """Somebody signed in at an op-auth of the post office; one serves all."""

    def __init__(self, office, name, language=None):
        office.auth = office.auth or OpAuth(office.home)
        self.visitor = Visitor(office.auth, name)
        self.visitor.http.headers["Accept-Language"] = language
        self.page = self.visitor.enter()

    def change_password(self, wanted=NEW_PASSWORD, current=PASSWORD):
        return self.visitor.send(self.visitor.get("/account"), "password", {"current": current, "new": wanted, "repeat": wanted})
