"""One sign-in through every server it needs: the least that must always work."""
import concurrent.futures

import requests

from person import Page, Person, request_for, sign_in, token_request


def test_discovery_names_what_works(partita):
    metadata = requests.get(partita.issuer + "/.well-known/openid-configuration", timeout=10).json()
    assert metadata["issuer"] == partita.issuer
    assert metadata["response_types_supported"] == ["code"]
    assert requests.get(metadata["jwks_uri"], timeout=10).json()["keys"]


def test_a_person_signs_in_and_the_client_reads_who(partita):
    client = partita.info["client"]
    tokens = sign_in(partita, client, "openid profile email offline_access")
    assert tokens["token_type"] == "Bearer" and tokens["id_token"] and tokens["refresh_token"]
    claims = requests.get(partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + tokens["access_token"]}, timeout=10).json()
    assert claims["email"] == "demo@example.org" and claims["name"] == "Demo Person"
    refreshed = token_request(partita, client, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert refreshed.status_code == 200 and refreshed.json()["access_token"] != tokens["access_token"]


def test_a_second_client_needs_no_second_password(partita):
    person = Person(partita)
    client = partita.info["client"]
    sign_in(partita, client, person=person)
    person.password = "not needed again"
    assert sign_in(partita, client, person=person)["id_token"]


def test_a_right_password_is_right_while_its_hash_is_made_anew(start_partita):
    """It was hashed at another cost than op-auth wants now: the first to sign in stores it anew, at the same moment as others."""
    dear = start_partita("--set", "all.password_iterations=3", "--instances", "op-auth=2")
    user = dear.info["user"]
    dear.opctl("user", "password", user["username"], "--set", "password_iterations=2", secret=user["password"] + "\n")
    request, _ = request_for(dear.info["client"]["client_id"], dear.info["client"]["redirect_uris"][0])
    people = [Person(dear) for _ in range(8)]

    def send_password(person):
        page = person.http.get(dear.issuer + "/authorize", params=request, timeout=30)
        sent = person.answer(page, Page(page.text), True)
        return Page(person.follow(sent)[0].text).title

    with concurrent.futures.ThreadPoolExecutor(len(people)) as pool:
        titles = list(pool.map(send_password, people))
    assert not [title for title in titles if "Sign in" in title], titles
