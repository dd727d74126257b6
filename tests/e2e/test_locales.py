"""The languages of the pages: catalogues in files, chosen by ui_locales and the browser; a third one is only a file."""
import os
import re

import pytest

from conftest import ROOT
from visitor import CALLBACK, PASSWORD, Visitor, new_client, new_user


def catalogue(language):
    messages = {}
    with open(os.path.join(ROOT, f"share/locales/{language}.ini"), encoding="utf-8") as file:
        for line in file:
            if line.strip() and line[0] not in "#;":
                key, _, text = line.partition("=")
                messages[key.strip()] = text.strip()
    return messages


EN, DE = catalogue("en"), catalogue("de")


def test_the_catalogues_have_the_same_keys_and_places():
    assert set(EN) == set(DE)
    for key, text in EN.items():
        places = re.compile(r"\{[a-z_.]+\}")
        assert sorted(places.findall(text)) == sorted(places.findall(DE[key])), key
        assert DE[key] and (DE[key] != text or len(text.split()) < 3), f"{key} is not translated"


def test_each_message_is_used():
    used = ""
    for directory in ("op-auth", "op-async", "share/pages"):  # all that show pages
        for name in os.listdir(os.path.join(ROOT, directory)):
            with open(os.path.join(ROOT, directory, name), encoding="utf-8") as file:
                used += file.read()
    for key in EN:
        family, start = key.rsplit(".", 1)[0], key.rsplit("_", 1)[0]  # code puts some keys together: "problem.client" and ".title"
        assert key in used or family in ("scope", "claim") or f'"{family}"' in used or f'"{start}"' in used, f"{key} is used nowhere"


# (ui_locales, Accept-Language, what it becomes)
CHOICES = [
    (None, None, "en"), (None, "de", "de"), (None, "de-AT,de;q=0.9,en;q=0.8", "de"), (None, "fr, de;q=0.5, en;q=0.4", "de"),
    (None, "fr", "en"), (None, "en;q=0.1, de;q=0.9", "de"), (None, "de;q=0, en", "en"), (None, "*", "en"), (None, "eo", "eo"),
    (None, "x" * 2000, "en"), (None, ";;,,=q", "en"),
    ("de", None, "de"), ("de", "en", "de"), ("en", "de", "en"), ("fr de en", None, "de"), ("de-CH", "en", "de"), ("DE", "en", "de"),
    ("fr it", "de", "de"), ("xx", None, "en"), ("eo", "de", "eo"), ("eo-XX en", None, "eo"), ("../../etc/passwd", None, "en"),
]
TITLE = {"en": EN["sign_in.title"], "de": DE["sign_in.title"], "eo": "Ensaluti"}


@pytest.fixture(scope="module")
def world(partita_odd):
    return {"client": new_client(partita_odd), "own": new_client(partita_odd, "--first-party")}


@pytest.mark.parametrize("ui_locales, accept, language", CHOICES)
def test_the_language_of_a_page(partita_odd, world, ui_locales, accept, language):
    visitor = Visitor(partita_odd)
    visitor.http.headers["Accept-Language"] = accept
    seen = visitor.ask(world["own"], ui_locales=ui_locales)
    assert seen.response.headers["Content-Language"] == language and f'<html lang="{language}">' in seen.response.text
    assert seen.page.title.startswith(TITLE[language])


def test_the_whole_way_in_german(partita_odd, world):
    """ui_locales holds on every page that the request leads to, whatever the browser prefers."""
    visitor = Visitor(partita_odd, new_user(partita_odd))
    visitor.http.headers["Accept-Language"] = "en"
    client = world["client"]
    seen = visitor.ask(client, scope="openid email", ui_locales="de")
    steps = [seen, visitor.fill_in(seen, password="falsch"), visitor.send(seen, "sign-in", {"username": "", "password": ""})]
    assert DE["sign_in.wrong"] in steps[1].text and DE["sign_in.no_username"] in steps[2].text
    steps.append(visitor.fill_in(steps[1]))
    assert DE["scope.email"] in steps[3].text and DE["consent.allow"] in steps[3].text and steps[3].kind == "consent"
    visitor.decide(steps[3], "allow")
    steps.append(visitor.ask(client, prompt="select_account", ui_locales="de"))
    steps.append(visitor.ask(client, response_mode="form_post", ui_locales="de"))
    steps.append(visitor.get("/logout", client_id=client["client_id"], ui_locales="de"))
    steps.append(visitor.get("/logout", client_id="nobody", ui_locales="de"))
    steps.append(visitor.get("/authorize", client_id="nobody", redirect_uri=CALLBACK, ui_locales="de"))
    steps.append(visitor.send(steps[6], "logout"))
    assert [step.response.headers["Content-Language"] for step in steps] == ["de"] * len(steps)
    assert DE["problem.client.title"] in steps[8].text and DE["signed_out.title"] in steps[9].text
    for step in steps:
        for text in re.findall(r">([^<>]{12,})<", step.response.text):
            assert text not in EN.values(), "an English sentence on a German page"


def test_problems_in_german(partita_odd, world):
    visitor = Visitor(partita_odd, new_user(partita_odd))
    visitor.http.headers["Accept-Language"] = "de"
    seen = visitor.get("/account")
    pages = {"problem.not_found.title": visitor.get("/nothing"), "problem.method.title": visitor.post("/account", {}),
             "problem.form.title": visitor.post("/sign-in", {"interaction": "x"}), "front.sign_in": visitor.get("/"),
             "signed_out.again": visitor.get("/logout")}
    visitor.http.cookies.clear()
    pages["problem.no_cookies.title"] = visitor.fill_in(seen)
    for key, page in pages.items():
        assert DE[key] in page.text and page.response.headers["Content-Language"] == "de", key
    account = visitor.enter()
    assert DE["account.sessions"] in account.text
    seen = visitor.send(account, "password", {"current": PASSWORD, "new": "kurz", "repeat": "kurz"})
    assert DE["password.too_short"] in seen.text


def test_a_third_language_speaks_the_first_where_it_lacks_words(partita_odd, world):
    seen = Visitor(partita_odd).ask(world["own"], ui_locales="eo")
    assert "Pasvorto" in seen.text and EN["field.username"] in seen.text
    seen = Visitor(partita_odd).get("/authorize", client_id="x", ui_locales="eo")
    assert "Tiu programo ne estas konata ĉi tie" in seen.text and EN["problem.client.text"] in seen.text


def test_only_the_settings_languages_are_spoken(partita, partita_odd):
    for where, languages in ((partita, ["en", "de"]), (partita_odd, ["en", "de", "eo"])):
        visitor = Visitor(where)
        metadata = visitor.http.get(where.issuer + "/.well-known/openid-configuration", timeout=20).json()
        assert metadata["ui_locales_supported"] == languages
        seen = visitor.get("/authorize", client_id="x", ui_locales="eo")
        assert seen.response.headers["Content-Language"] == ("eo" if "eo" in languages else "en")


def test_a_name_that_is_also_html(partita_odd):
    """What others wrote is text on every page."""
    nasty = '<img src=x onerror=alert(1)> {site.name} {{t:x}} "\'&'
    visitor = Visitor(partita_odd, new_user(partita_odd, "name=" + nasty))
    client = partita_odd.add_client(nasty, CALLBACK, "--client-uri", "https://nasty.example/?'&lt;")
    client["redirect_uris"] = [CALLBACK]
    steps = [visitor.ask(client), visitor.fill_in(visitor.ask(client)), visitor.ask(client, prompt="select_account")]
    visitor.decide(steps[1], "allow")
    steps += [visitor.get("/account"), visitor.send(visitor.get("/logout", client_id=client["client_id"]), "logout")]
    for step in steps:
        assert nasty in step.text and "<img src=x" not in step.response.text, step.kind
