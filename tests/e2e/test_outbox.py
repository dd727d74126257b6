"""Mail to people: from a changed password through the outbox to the operator's mail server, which is good, bad, or not there."""
import os
import re
import signal
import socket
import threading
import time

import pytest

import outside
from mail_server import MailServer
from post_office import NEW_PASSWORD, AccountPage, post_office
from server_process import wait_until
from visitor import PASSWORD


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return outside.Authority(str(tmp_path_factory.mktemp("authority")))


@pytest.fixture(scope="module")
def office(authority):
    """A mail server that offers STARTTLS, as most are."""
    with post_office(authority) as made:
        made.open_server()
        made.carrier()
        yield made


@pytest.fixture(scope="module")
def plain():
    """One on the same machine, which may be closed and opened."""
    with post_office(contact="help@example.org", op_async__outbox_tries="3") as made:
        made.carrier()
        yield made


@pytest.fixture
def server(plain):
    made = plain.open_server()
    yield made
    made.refuse.clear()
    plain.drop_all()
    plain.close_server()


# --- what is told ---

def test_whoever_changes_a_password_is_told_so(office):
    name, address = office.person("name=Jürgen Müller")
    page = AccountPage(office, name)
    assert "Your password has been changed" in page.change_password().text
    letter = office.wait_letter(address)
    assert (letter.sender, letter.recipients, letter.encrypted, letter.hello) == ("op@example.org", [address], True, "localhost")
    assert letter["From"] == "Haus & Hof <op@example.org>" and letter["To"] == f"Jürgen Müller <{address}>"
    assert letter["Subject"] == "Your password at Haus & Hof was changed"
    assert re.fullmatch(r"<[0-9a-f]{32}@localhost>", letter["Message-ID"]) and letter["Auto-Submitted"] == "auto-generated"
    assert abs(letter["Date"].datetime.timestamp() - time.time()) < 60
    for words in ("Hello Jürgen Müller,", f"account {name} at Haus & Hof was changed on 20", "Whoever looks after Haus & Hof"):
        assert words in letter.text, letter.text
    assert all(len(line) <= 78 for line in letter.raw.split(b"\r\n")) and PASSWORD.encode() not in letter.raw
    office.wait_empty()
    delivered, = [event for event in office.events("mail_delivered") if event["message"] in letter["Message-ID"]]
    assert delivered["try"] == "1" and "why" not in delivered
    assert address not in office.log and name not in office.log


@pytest.mark.parametrize("claim, browser, language", [
    ("locale=de-DE", "en", "de"), (None, "de-AT,en;q=0.5", "de"), ("locale=fr", "de", "de"),
])
def test_in_the_persons_language(office, claim, browser, language):
    name, address = office.person(*([claim] if claim else []))
    page = AccountPage(office, name, browser)
    page.change_password()
    letter = office.wait_letter(address)
    assert letter["Content-Language"] == language
    assert letter["Subject"] == {"en": "Your password at Haus & Hof was changed", "de": "Ihr Passwort bei Haus & Hof wurde geändert"}[language]
    assert {"en": "Hello", "de": "Guten Tag"}[language] + f" {name}," in letter.text


def test_when_the_operator_changes_it_the_person_is_told_too(plain, server):
    name, address = plain.person("locale=de")
    plain.change_as_operator(name)
    letter = plain.wait_letter(address)
    assert "Hier bekommen Sie Hilfe: help@example.org" in letter.text and not letter.encrypted


def test_who_is_told_nothing(plain, server):
    """Without an address that is the person's, and when nothing was changed."""
    told, address = plain.person()
    unverified, _ = plain.person(verified=False)
    plain.home.opctl("user", "add", "no-address", secret=PASSWORD + "\n")
    page = AccountPage(plain, told)
    assert page.change_password(current="wrong password").status == 422 and page.change_password(wanted="short").status == 422
    plain.change(unverified)
    plain.change_as_operator("no-address")
    assert plain.messages() == []
    plain.change(told)
    plain.wait_letter(address)
    assert len(server.letters) == 1


def test_without_a_mail_server_nothing_is_written():
    with post_office(mail_server="", mail_from="") as nobody:
        nobody.carrier()
        name, _ = nobody.person()
        page = AccountPage(nobody, name)
        assert "Your password has been changed" in page.change_password().text
        nobody.change_as_operator(name)
        assert nobody.messages() == [] and len(nobody.events("no_mail_server")) == 1


# --- the server is not there, or says no ---

def test_a_server_that_is_down_and_comes_up(plain):
    name, address = plain.person()
    plain.change(name)
    wait_until(lambda: (plain.message_to(address) or {}).get("tries"), 20)
    message = plain.message_to(address)
    assert message["state"] == "waiting" and message["event"] == "password_changed" and "due_at" in message
    wait_until(lambda: "onnect" in plain.message_to(address).get("failure", ""), 10, lambda: str(plain.messages()))
    server = plain.open_server()
    plain.wait_letter(address)
    plain.wait_empty()
    assert len(server.letters) == 1
    plain.close_server()


def test_greylisting(plain, server):
    name, address = plain.person()
    server.refuse[address] = ["450 4.2.0 Greylisted, come back later"]
    plain.change(name)
    letter = plain.wait_letter(address)
    plain.wait_empty()
    events = [event for event in plain.events("mail_postponed") + plain.events("mail_delivered") if event["message"] in letter["Message-ID"]]
    assert [(event["event"], event["try"]) for event in events] == [("mail_postponed", "1"), ("mail_delivered", "2")]
    assert events[0]["status"] == "450" and "Greylisted" not in plain.log


def dead(plain, address):
    wait_until(lambda: any(message["to"] == address for message in plain.messages("--dead")), 20, lambda: plain.log)
    return next(message for message in plain.messages("--dead") if message["to"] == address)


def test_a_refusal_makes_a_dead_letter_that_can_be_called_back(plain, server):
    name, address = plain.person()
    server.refuse[address] = [f"550 5.1.1 <{address}>: no such user"]
    plain.change(name)
    message = dead(plain, address)
    assert message["state"] == "dead" and message["tries"] == 1 and "died_at" in message
    assert message["failure"] == f"550 5.1.1 <{address}>: no such user", "the operator is told in the server's words"
    assert address not in plain.log, "the log is not"
    shown = plain.home.opctl("outbox", "show", message["id"])
    assert shown["username"] == name and shown["failure"] == message["failure"]
    assert plain.home.opctl("outbox", "retry", message["id"])["messages"] == [message["id"]]
    letter = plain.wait_letter(address)
    assert message["id"] in letter["Message-ID"], "the same letter"
    plain.wait_empty()


def test_a_letter_that_nobody_takes_is_given_up_after_its_last_try(plain, server):
    name, address = plain.person()
    server.refuse[address] = ["451 4.3.0 not now"] * 10
    plain.change(name)
    message = dead(plain, address)
    assert message["tries"] == 3 and message["failure"] == "451 4.3.0 not now"
    assert plain.home.opctl("outbox", "drop", "--dead")["messages"] == [message["id"]]
    assert plain.messages() == [] and server.letters == []


def test_all_dead_letters_at_once(plain, server):
    people = [plain.person() for _ in range(2)]
    server.refuse["*"] = ["554 5.7.1 spam"] * 2
    for name, _ in people:
        plain.change(name)
    letters = [dead(plain, address)["id"] for _, address in people]
    assert plain.home.opctl("outbox", "retry", "--dead")["messages"] == letters
    for _, address in people:
        plain.wait_letter(address)


def test_an_address_that_no_server_takes(plain, server):
    plain.home.opctl("user", "add", "odd", "--email", "jürgen@example.org", "--email-verified", secret=PASSWORD + "\n")
    plain.change("odd")
    assert "address" in dead(plain, "jürgen@example.org")["failure"] and server.letters == []


def test_the_operators_words(plain, server):
    """opctl outbox says what is wrong with what it was asked."""
    def fails(*words):
        with pytest.raises(AssertionError) as failure:
            plain.home.opctl("outbox", *words)
        return str(failure.value)
    assert "no message" in fails("show", "0" * 32) and "no message" in fails("drop", "0" * 32)
    assert "no id" in fails("retry", "x") and "by their ids" in fails("retry") and "by their ids" in fails("drop", "0" * 32, "--dead")
    assert plain.home.opctl("outbox", "retry", "--dead")["messages"] == []


def gauge(office, name):
    _, _, body = office.carriers[-1].get("/.metrics")
    return int(re.search(rf"^{name} (\d+)$", body.decode(), re.M).group(1))


def test_what_is_counted(plain, server):
    name, address = plain.person()
    before = {metric: gauge(plain, f"partita_mails_{metric}_total") for metric in ("delivered", "postponed", "dead")}
    server.refuse[address] = ["550 no"]
    plain.change(name)
    dead(plain, address)
    assert (gauge(plain, "partita_outbox_messages"), gauge(plain, "partita_outbox_dead_letters")) == (0, 1)
    assert plain.home.opctl("check", "outbox") is not None, "its indexes are whole"
    plain.home.opctl("outbox", "retry", "--dead")
    plain.wait_letter(address)
    plain.wait_empty()
    wait_until(lambda: gauge(plain, "partita_outbox_dead_letters") == 0, 5)
    after = {metric: gauge(plain, f"partita_mails_{metric}_total") - before[metric] for metric in before}
    assert after == {"delivered": 1, "postponed": 0, "dead": 1}


# --- whom we believe, and who believes us ---

def fails_for_now(office, words):
    """A change is told to nobody for now, for a reason; the letter stays."""
    name, address = office.person()
    office.carrier()
    office.change(name)
    wait_until(lambda: words in (office.message_to(address) or {}).get("failure", ""), 20, lambda: str(office.messages()) + office.log)
    assert office.message_to(address)["state"] != "dead" and not (office.server and office.server.letters)
    return address


def test_certificates_of_strangers_are_not_believed(authority, tmp_path):
    with post_office(authority) as office:
        office.open_server(outside.Authority(str(tmp_path)).server_context("localhost"))
        address = fails_for_now(office, "certificate")
        office.close_server()
        office.open_server(authority.server_context("other.example"))
        wait_until(lambda: "other.example" in office.message_to(address)["failure"] or "name" in office.message_to(address)["failure"], 20)
        office.close_server()
        office.open_server()
        office.wait_letter(address)


def test_a_server_without_starttls_gets_nothing(authority):
    with post_office(authority) as office:
        office.server = MailServer(office.port)
        fails_for_now(office, "STARTTLS")


def test_smtps_and_a_password(authority):
    with post_office(authority, scheme="smtps", password="a pass word: äö$%") as office:
        office.give_password("a wrong one")
        office.open_server()
        address = fails_for_now(office, "535")
        for carrier in office.carriers:
            carrier.end()
        office.give_password("a pass word: äö$%\n")
        office.carrier()
        letter = office.wait_letter(address)
        assert letter.authenticated


def test_a_password_that_is_missing_stops_the_start(authority):
    with post_office(authority, password="x") as office:
        done = office.home.run("op-async", "--listen", "unix:" + os.path.join(office.home.dir, "x.sock"))
        assert done.returncode == 1 and "mail-password" in done.stderr
        office.give_password("\n")
        done = office.home.run("op-async", "--listen", "unix:" + os.path.join(office.home.dir, "x.sock"))
        assert done.returncode == 1 and "mail-password" in done.stderr


@pytest.mark.parametrize("settings, words", [
    ({"mail_from": ""}, "mail_from"), ({"mail_from": "Ada <ada@example.org>"}, "mail_from"), ({"mail_server": "mail.example.org"}, "mail_server"),
    ({"mail_server": "http://mail.example.org"}, "mail_server"), ({"mail_server": "smtp://op:secret@mail.example.org"}, "mail_user"),
    ({"mail_server": "smtp://mail.example.org/x"}, "mail_server"), ({"op_async__mail_user": "op", "op_async__mail_starttls": "no"}, "mail_user"),
])
def test_settings_that_make_no_sense(plain, settings, words):
    good = {"mail_server": "smtp://mail.example.org:587", "mail_from": "op@example.org"}
    for more, status in (({}, 0), (settings, 78)):
        plain.home.write_conf(**{**good, **more})
        done = plain.home.run("op-async", "--check-config")
        assert done.returncode == status and (status == 0 or words in done.stderr), done.stderr
    plain.home.write_conf(**plain.settings)


# --- a server that hangs ---

class Silent:
    """Takes connections and says nothing."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self.connections = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        try:
            while True:
                self.connections.append(self.listener.accept()[0])
        except OSError:
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            connection.close()


def test_a_server_that_hangs_holds_up_nobody():
    with post_office(op_async__mail_timeout="2s") as office:
        silent = Silent(office.port)
        carrier = office.carrier()
        name, address = office.person()
        page = AccountPage(office, name)
        assert "Your password has been changed" in page.change_password().text
        wait_until(lambda: silent.connections, 10)
        began = time.monotonic()
        assert carrier.get("/.live")[0] == 200 and office.message_to(address)["state"] == "leaving"
        assert time.monotonic() - began < 2
        wait_until(lambda: office.message_to(address).get("failure"), 20, lambda: office.log)
        silent.close()
        office.open_server()
        office.wait_letter(address)


def test_a_server_that_does_not_say_good_bye(plain, server):
    """It took the letter: that counts, and nobody waits long for the rest."""
    server.slow_quit = True
    name, address = plain.person()
    plain.change(name)
    plain.wait_letter(address)
    plain.wait_empty(seconds=9)
    assert len(server.to(address)) == 1


def test_one_told_to_end_does_not_wait_for_a_server_that_hangs():
    with post_office() as office:
        silent = Silent(office.port)
        carrier = office.carrier()
        name, address = office.person()
        office.change(name)
        wait_until(lambda: silent.connections, 10)
        began = time.monotonic()
        assert carrier.end(signal.SIGTERM) == 0
        assert time.monotonic() - began < 10 + 7, "the balancer's connections, and a second"
        message = office.message_to(address)
        assert (message["state"], message["tries"]) == ("waiting", 0), "another may take it at once"
        silent.close()
