"""The operator's mail server, as good or as bad as a test needs it: aiosmtpd on a thread of its own."""
import asyncio
import email
import email.policy
import threading
import warnings

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


class Letter:
    """What arrived."""

    def __init__(self, envelope, session):
        self.sender, self.recipients, self.raw = envelope.mail_from, list(envelope.rcpt_tos), envelope.content
        self.message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.hello, self.encrypted, self.authenticated = session.host_name, session.ssl is not None, session.authenticated

    def __getitem__(self, header):
        return self.message[header]

    @property
    def text(self):
        return self.message.get_content()


class MailServer:
    """letters: those it took. refuse: recipient -> replies, used up one by one; "*" is everybody. hold: recipients whose
    letters are read and not answered, until let_go. password: what `op` must send, None for nothing."""

    def __init__(self, port, context=None, smtps=False, password=None):
        self.port, self.letters, self.refuse, self.hold, self.held = port, [], {}, set(), []
        self.slow_quit, self.delay = False, 0
        self.released = threading.Event()
        options = {"authenticator": authenticator(password), "auth_required": True, "auth_require_tls": not smtps} if password else {}
        options.update({"tls_context": context, "require_starttls": True} if context and not smtps else {})
        warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS")  # it does not see that all of it is TLS
        self.controller = Controller(self, hostname="127.0.0.1", port=port, ready_timeout=30, ssl_context=context if smtps else None,
                                     enable_SMTPUTF8=False, **options)
        self.controller.start()

    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        replies = self.refuse.get(address) or self.refuse.get("*")
        if replies:
            return replies.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, session, envelope):
        letter = Letter(envelope, session)
        await asyncio.sleep(self.delay)
        if set(letter.recipients) & self.hold:
            self.held.append(letter)
            while not self.released.is_set():
                await asyncio.sleep(0.02)
        self.letters.append(letter)
        return "250 taken"

    async def handle_QUIT(self, _server, _session, _envelope):
        while self.slow_quit and not self.released.is_set():
            await asyncio.sleep(0.02)
        return "221 bye"

    def let_go(self):
        self.released.set()

    def to(self, address):
        """The letters that somebody got."""
        return [letter for letter in self.letters if address in letter.recipients]

    def close(self):
        self.let_go()
        self.controller.stop()


def authenticator(password):
    def judge(_server, _session, _envelope, _mechanism, data):
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"op", password.encode())
        return AuthResult(success=good, handled=False)
    return judge
