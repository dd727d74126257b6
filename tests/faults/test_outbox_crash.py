"""The outbox between its commits: who is killed where, a message leaves at least once, after what it tells of; and whatever
is wrong with the outbox, nobody is kept from changing a password."""
import os
import signal
import subprocess
import types
from collections import Counter
from urllib.parse import urlencode

import pytest

from conftest import BUILD
from post_office import NEW_PASSWORD, AccountPage, post_office
from server_process import wait_until
from test_jwks_uri import tcp_peers
from test_redemption_crash import Breakpoint
from visitor import PASSWORD, Visitor

MANY, TRIES = 12, 100


def stop_at(process, directory, function):
    return Breakpoint(types.SimpleNamespace(dir=str(directory), process=process.popen), function)


def kill(process, stop):
    process.popen.kill()
    stop.let_go()
    process.popen.wait(20)


# --- delivery ---

def test_two_carriers_never_have_the_same_message():
    with post_office(op_async__mail_deliveries_max="2") as office:
        name, address = office.person()
        page = AccountPage(office, name)
        passwords = [PASSWORD, NEW_PASSWORD]
        for _ in range(MANY):
            page.change_password(passwords[1], passwords[0])
            passwords.reverse()
        wait_until(lambda: len(office.messages()) == MANY, 10)
        office.open_server().delay = 0.05
        for _ in range(2):
            office.carrier()
        office.wait_empty()
        letters = office.server.to(address)
        assert len(letters) == len({letter["Message-ID"] for letter in letters}) == MANY
        assert {process.popen.pid for process in office.carriers if process.events("mail_delivered")} == {
            process.popen.pid for process in office.carriers}, "both had some"


def test_killed_during_a_delivery():
    """The server has read the letter and not answered: another carrier delivers it, once the claim has lapsed."""
    with post_office(op_async__mail_timeout="1s") as office:
        server = office.open_server()
        name, address = office.person()
        server.hold.add(address)
        for _ in range(2):
            office.carrier()
        office.change(name)
        wait_until(lambda: server.held, 10, lambda: office.log)
        busy = next(carrier for carrier in office.carriers if tcp_peers(carrier.popen.pid, office.port))
        busy.end(signal.SIGKILL)
        server.hold.clear()
        assert office.wait_letter(address)["Message-ID"] == server.held[0]["Message-ID"]
        office.wait_empty()


def test_killed_when_the_server_has_the_letter(tmp_path):
    """It comes twice, and can be recognised."""
    with post_office(op_async__mail_timeout="1s") as office:
        server = office.open_server()
        carrier = office.carrier()
        stop = stop_at(carrier, tmp_path, "handed_over")
        name, address = office.person()
        office.change(name)
        stop.wait_hit()
        kill(carrier, stop)
        assert len(server.to(address)) == 1
        office.carrier()
        wait_until(lambda: len(server.to(address)) == 2, 20, lambda: office.log)
        office.wait_empty()
        assert Counter(letter["Message-ID"] for letter in server.to(address)).most_common()[0][1] == 2


# --- the change and its message ---

@pytest.mark.parametrize("function, changed", [("hold_ended", False), ("is_password_set", True)])
def test_op_auth_is_killed_between_message_and_change(tmp_path, function, changed):
    """Either way the message leaves by itself: no change goes untold."""
    with post_office() as office:
        server = office.open_server()
        office.carrier()
        name, address = office.person()
        page = AccountPage(office, name)
        asked = page.visitor.get("/account")
        stop = stop_at(office.auth.process, tmp_path, function)
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in page.visitor.http.cookies)
        body = urlencode({**dict(asked.form("password").fields), "current": PASSWORD, "new": NEW_PASSWORD, "repeat": NEW_PASSWORD})
        with office.auth.process.connect() as connection:
            connection.sendall((f"POST /account/password HTTP/1.1\r\nHost: localhost\r\nCookie: {cookies}\r\n"
                                f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
            stop.wait_hit()
            kill(office.auth.process, stop)
        message = office.message_to(address)
        assert message["state"] == "waiting" and message["tries"] == 0 and not server.letters, "it is held back"
        office.auth = None
        assert AccountPage(office, name).page.refused == changed
        assert Visitor(office.auth, name, NEW_PASSWORD).enter().refused != changed
        if not changed:  # the other one waits until it leaves by itself
            office.home.opctl("outbox", "retry", message["id"])
        office.wait_letter(address)
        office.wait_empty()


# --- a bad outbox ---

def fill(office, what):
    state, run = os.path.join(office.home.dir, "state"), os.path.join(office.home.dir, "run")
    return [os.path.join(BUILD, "tests", "fill"), state, run, "outbox", what]


def test_a_full_outbox_keeps_nobody_from_anything():
    with post_office() as office:
        office.make_outbox_anew("1MiB")
        server = office.open_server()
        (name, address), (operated, _) = office.person(), office.person()
        page = AccountPage(office, name)
        subprocess.run(fill(office, "100000"), check=True, timeout=60, stdout=subprocess.DEVNULL)
        passwords, lost = [PASSWORD, NEW_PASSWORD], lambda: office.auth.process.events("notice_not_written")
        for count in range(TRIES):  # gaps between the entries may take some messages yet; nobody carries one away
            if lost():
                break
            assert "Your password has been changed" in page.change_password(passwords[1], passwords[0]).text, count
            passwords.reverse()
        assert "Your password has been changed" in page.change_password(passwords[1], passwords[0]).text
        office.change_as_operator(operated)
        assert len(lost()) == 1 and lost()[0]["result"] == "full", "told once"
        office.carrier()
        office.wait_empty()
        before = len(server.to(address))
        subprocess.run(fill(office, "0"), check=True, timeout=60, stdout=subprocess.DEVNULL)
        assert "Your password has been changed" in page.change_password(passwords[0], passwords[1]).text
        wait_until(lambda: len(server.to(address)) == before + 1, 10, lambda: office.log)


def test_an_outbox_that_somebody_holds_delays_a_little():
    with post_office() as office:
        office.open_server()
        office.carrier()
        name, address = office.person()
        page = AccountPage(office, name)
        holder = subprocess.Popen(fill(office, "hold"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert holder.stdout.readline() == b"held\n"
        assert "Your password has been changed" in page.change_password().text
        holder.stdin.close()
        assert holder.wait(10) == 0
        assert "Your password has been changed" in page.change_password(PASSWORD, NEW_PASSWORD).text
        office.wait_letter(address)
