"""Inside the machine, when the book has been read: what is claimed of the units and the packages."""
import glob
import os
import re
import subprocess

from chapters import SERVERS, World, call, goes_on, instances, signs_in, userinfo, wait, works

UNITS = [f"{server}@a1.service" for server in SERVERS] + [f"{server}.socket" for server in SERVERS]
OTHERS = ["partita.target", "partita.slice", "partita-volatile.service", "run-partita.mount", "partita-metrics.socket"]
EXPOSURE = {server: 1.3 if server == "op-async" else 0.5 for server in SERVERS}


def show(unit, name):
    return call("systemctl", "show", f"--property={name}", "--value", unit).stdout.strip()


def pids():
    """{unit: main process} of every instance that runs."""
    return {name: show(name, "MainPID") for server in SERVERS for name in instances(server)}


def sockets_listen():
    return [server for server in SERVERS if show(f"{server}.socket", "ActiveState") != "active"] == []


class Units:
    def judge(self):
        self.no_complaint()
        self.sandbox()
        self.start_limits()
        self.what_the_socket_starts()

    @staticmethod
    def no_complaint():
        done = call("systemd-analyze", "verify", *UNITS, *OTHERS, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")

    @staticmethod
    def sandbox():
        for server in SERVERS:
            told = call("systemd-analyze", "security", "--offline=true", f"/lib/systemd/system/{server}@.service", check=False).stdout
            level = float(re.search(r"Overall exposure level for .*: ([0-9.]+)", told)[1])
            assert level <= EXPOSURE[server], f"{server}: {level}\n{told}"

    @staticmethod
    def start_limits():
        for server in SERVERS:
            for name in instances(server):
                assert (show(name, "StartLimitIntervalUSec"), show(name, "RestartUSec")) == ("0", "1s"), name
                assert show(name, "TriggeredBy") == f"{server}.socket", name
            assert show(f"{server}.socket", "TriggerLimitIntervalUSec") == "0"

    def what_the_socket_starts(self):
        """Instance 1, whose link names a version that has proved itself; a deployment ends it again."""
        for server in SERVERS:
            assert show(f"{server}.socket", "Triggers").split()[0].startswith(f"{server}@"), server
            with open(f"/lib/systemd/system/{server}.socket", encoding="utf-8") as file:
                assert f"\nService={server}@1.service\n" in file.read()
            assert os.readlink(f"/etc/partita/running/{server}@1") == f"/usr/lib/partita/{server}/{World.old}"
        signs_in("asked of instance 1")
        call("systemctl", "stop", *instances("op-userinfo"))
        assert userinfo("asked of instance 1") == 200
        assert instances("op-userinfo") == {"op-userinfo@1": World.old}
        call("opctl", "deploy", "op-userinfo", World.old)
        assert "op-userinfo@1" not in instances("op-userinfo") and userinfo("asked of instance 1") == 200


class Packages:
    def judge(self):
        self.what_there_is()
        self.a_version_comes_and_goes()
        self.all_go()
        self.and_come_back()

    @staticmethod
    def what_there_is():
        names = call("dpkg-query", "-W", "-f", "${Package}\n", "partita-*").stdout.split()
        assert sorted(names) == sorted(["partita-common", "partita-opctl", f"partita-op-token-{World.new}"] +
                                       [f"partita-{server}-{World.old}" for server in SERVERS])
        for server in SERVERS:
            told = call(f"/usr/lib/partita/{server}/{World.old}/{server}", "--version").stdout
            assert re.match(rf"{server} {re.escape(World.old)}\n", told) and "\nbuild " in told and "\nrecords " in told, told

    @staticmethod
    def a_version_comes_and_goes():
        """Nothing starts, nothing restarts, nothing ends."""
        before, deb = pids(), glob.glob("/root/packages/partita-op-token-*_*.deb")
        call("apt-get", "remove", "--yes", f"partita-op-token-{World.new}")
        assert not os.path.exists(f"/usr/lib/partita/op-token/{World.new}/op-token") and pids() == before
        call("apt-get", "install", "--yes", *deb)
        assert os.path.exists(f"/usr/lib/partita/op-token/{World.new}/op-token") and pids() == before and works()

    @staticmethod
    def all_go():
        """Purged: no process, no unit, no socket; accounts and secrets stay."""
        signs_in("before the purge")
        call("apt-get", "purge", "--yes", "partita-*")
        users = subprocess.run(["ps", "-o", "pid=,args=", "-u", ",".join(SERVERS)], capture_output=True, text=True, check=False).stdout
        assert users.strip() == "", users
        active = call("systemctl", "list-units", "--plain", "--no-legend", "--state=active", "op-*", "partita*", "run-partita*").stdout
        assert [line for line in active.splitlines() if not line.startswith("partita.slice ")] == [], active
        assert not os.path.exists("/etc/partita/running") and not glob.glob("/lib/systemd/system/op-*")
        assert not glob.glob("/etc/systemd/system/partita.target.wants/*") and not os.path.ismount("/run/partita")
        assert os.path.exists("/var/lib/partita/users/data.mdb") and os.path.exists("/etc/partita/credentials/seal-key.cred")
        assert os.path.exists("/etc/partita/partita.conf")

    @staticmethod
    def and_come_back():
        """With all that was there."""
        call("bash", "-c", "apt-get install --yes /root/packages/*.deb")
        assert call("systemctl", "list-units", "--plain", "--no-legend", "--state=active", "op-*").stdout == ""
        call("systemctl", "enable", "--now", "partita.target")
        for server in SERVERS:
            call("systemctl", "enable", "--now", f"{server}.socket")
            call("opctl", "deploy", server, World.old)
        wait("sign-in works again", works)
        goes_on("before the purge")


CLAIMS = {"units": Units, "packages": Packages}
