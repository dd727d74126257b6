"""The table of raw requests of tests/hostile/framing.py, straight at each server and through nginx."""
import os
import sys
from urllib.parse import urlsplit

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "hostile"))
from framing import ROWS, Target  # noqa: E402

POSTS = {"op-discovery": None, "op-auth": "/authorize", "op-token": "/token", "op-userinfo": "/userinfo", "op-management": "/revoke",
         "op-async": None}


def test_the_table_is_long_enough():
    assert len(ROWS) >= 40 and len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("name", POSTS)
def test_straight_at_a_server(partita, name):
    server = next(server for server in partita.info["servers"] if server["name"] == name)
    assert Target("unix:" + server["socket"], "/.live", POSTS[name], proxied=False).run()[1] == []


@pytest.mark.parametrize("post", [post for post in POSTS.values() if post])
def test_through_nginx(partita, post):
    address = urlsplit(partita.issuer).netloc
    assert Target(address, "/.well-known/openid-configuration", post, proxied=True).run()[1] == []
