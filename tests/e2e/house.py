"""Two processes of each server that judges tokens, so that each can be asked by itself."""
from token_process import OwnProcess

INACTIVE = (200, {"active": False})


class House:
    """Connections to two op-management, two op-token and two op-userinfo over the installation's environments."""

    def __init__(self, partita):
        self.partita = partita
        self.processes = {server: [OwnProcess(partita, server) for _ in range(2)]
                          for server in ("op-management", "op-token", "op-userinfo")}
        self.management, self.token, self.userinfo = ([process.connect() for process in pair] for pair in self.processes.values())

    def introspect(self, client, token, **more):
        """The answer that both processes give."""
        one, other = (connection.post(client, "/introspect", token=token, **more) for connection in self.management)
        assert one == other
        return one

    def refresh(self, client, tokens):
        return [connection.post(client, grant_type="refresh_token", refresh_token=tokens["refresh_token"]) for connection in self.token]

    def is_alive(self, client, tokens):
        """By every process of every server; the client authenticates."""
        assert self.introspect(client, tokens["access_token"])[1]["active"] is True
        assert [connection.userinfo(tokens["access_token"])[0] for connection in self.userinfo] == [200, 200]
        if "refresh_token" in tokens:
            assert self.introspect(client, tokens["refresh_token"])[1]["active"] is True
            assert [status for status, _ in self.refresh(client, tokens)] == [200, 200]

    def is_dead(self, client, tokens):
        assert self.introspect(client, tokens["access_token"]) == INACTIVE
        self.is_refused(client, tokens)
        if "refresh_token" in tokens:
            assert self.introspect(client, tokens["refresh_token"]) == INACTIVE

    def is_refused(self, client, tokens):
        """The same without introspection, which public clients cannot ask."""
        answers = [connection.userinfo(tokens["access_token"]) for connection in self.userinfo]
        assert [(status, answer["error"]) for status, answer in answers] == [(401, "invalid_token")] * 2
        if "refresh_token" in tokens:
            answers = self.refresh(client, tokens)
            assert [(status, answer["error"]) for status, answer in answers] == [(400, "invalid_grant")] * 2

    def close(self):
        for pair in self.processes.values():
            for process in pair:
                process.close()

