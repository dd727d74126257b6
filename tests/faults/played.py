"""A machine in a directory, on which systemd's part and that of the servers are played: for deployments that are cut short
or meet what a real machine seldom has. As root, in mount namespaces of the commands' own."""
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile

from conftest import BUILD

SERVER = "op-userinfo"
# What systemctl does for opctl, in terms of processes: units/NAME holds the pid of its process, NAME.stop that it is to end.
SYSTEMCTL = r"""#!/bin/sh
verb=$1; shift
alive() { # a zombie is not
    read -r pid 2>/dev/null <"$PLAYED/units/$1" && read -r _ _ kind _ 2>/dev/null <"/proc/$pid/stat" && [ "$kind" != Z ]
}
for word; do
    case "$word" in -*) continue ;; esac
    name=${word%.service}
    case $verb in
    start)
        if alive "$name" && [ -f "$PLAYED/units/$name.stop" ]; then # the job waits
            touch "$PLAYED/units/$name.job.stop"
            (while alive "$name"; do sleep 0.02; done; "$0" start "$name"; rm "$PLAYED/units/$name.job.stop") </dev/null >/dev/null 2>&1 &
            continue
        fi
        alive "$name" && continue
        [ -e "$PLAYED/needs" ] && continue # what it needs failed: the job is gone and nothing runs
        rm -f "$PLAYED/units/$name.stop"
        [ -x "/etc/partita/running/$name/op-userinfo" ] || { echo 0 > "$PLAYED/units/$name"; continue; }
        setsid "/etc/partita/running/$name/op-userinfo" "$name" </dev/null >/dev/null 2>&1 &
        echo $! > "$PLAYED/units/$name" ;;
    stop)
        alive "$name" || { rm -f "$PLAYED/units/$name"; continue; }
        : > "$PLAYED/units/$name.stop"
        (sleep 1; alive "$name" && [ -f "$PLAYED/units/$name.stop" ] && kill -KILL "$pid") </dev/null >/dev/null 2>&1 &
        kill -TERM "$(cat "$PLAYED/units/$name")" ;;
    show)
        state=inactive
        [ -f "$PLAYED/units/$name" ] && state=failed
        if [ -f "$PLAYED/units/$name.stop" ]; then state=inactive; fi
        if alive "$name"; then state=active; [ -f "$PLAYED/units/$name.stop" ] && state=deactivating; fi
        [ -f "$PLAYED/units/$name.job.stop" ] && echo Job=7 || echo Job=
        echo "ActiveState=$state"; echo NRestarts=0; echo "MainPID=$(cat "$PLAYED/units/$name" 2>/dev/null || echo 0)" ;;
    esac
done
exit 0
"""
PROGRAM = r"""#!/bin/sh
case "@ODD@,$*" in
hangs,--version) exec sleep 1000 ;;
"says something else,--version") echo "op-userinfo garbage" ;;
*--version) printf 'op-userinfo @VERSION@\nfollows @FOLLOWS@\nrecords 1\n' ;;
refuses*--check-config) echo "partita.conf:1: wrong"; echo "partita.conf:2: wrong, too"; exit 78 ;;
*--check-config) exit 0 ;;
crashes*) exit 1 ;;
"never ready"*) exec sleep 1000 ;;
*) exec /usr/bin/python3 -BSE "$PLAYED/answers.py" "$1" @VERSION@ @ODD@ ;;
esac
"""
ANSWERS = r"""import os, signal, socket, sys
if sys.argv[3:] == ["deaf"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
directory = "/run/partita-admin/" + sys.argv[1]
os.makedirs(directory, exist_ok=True)
with open(directory + "/version", "w") as file:
    file.write(sys.argv[2])
if os.path.exists(directory + "/socket"):
    os.unlink(directory + "/socket")
listener = socket.socket(socket.AF_UNIX)
listener.bind(directory + "/socket")
listener.listen(16)
while True:
    with listener.accept()[0] as connection:
        bad = b"self-test" in connection.recv(4096) and sys.argv[3:] == ["deaf"]
        connection.sendall(b"HTTP/1.1 %d OK\r\nConnection: close\r\n\r\nready\n" % (500 if bad else 200))
"""


class Played:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="partita-played-", dir="/tmp")
        for name in ("versions", "running", "wants", "run", "units", "bin", "audit"):
            os.mkdir(self.at(name))
        os.mkdir(self.at("versions", SERVER))
        self.write("bin/systemctl", SYSTEMCTL)
        self.write("answers.py", ANSWERS)
        self.write("bin/journalctl", "#!/bin/sh\n")
        self.write("partita.conf", f"[all]\nissuer = http://localhost:9\nstate_dir = {self.dir}/state\nruntime_dir = {self.dir}/run\naudit_dir = {self.dir}/audit\n")
        places = {"versions": "/usr/lib/partita", "running": "/etc/partita/running", "wants": "/etc/systemd/system/partita.target.wants", "run": "/run"}
        self.places = list(places.values())
        script = " && ".join(f"mount --bind {self.dir}/{name} {place}" for name, place in places.items()) + ' && exec "$@"'
        self.wrap = ["unshare", "-m", "sh", "-c", script, "sh"]

    def at(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, name, text):
        with open(os.open(self.at(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o755), "w", encoding="utf-8") as file:
            file.write(text)

    def install(self, version, follows="none", odd=""):
        os.mkdir(self.at("versions", SERVER, version))
        text = PROGRAM.replace("@VERSION@", version).replace("@FOLLOWS@", follows).replace("@ODD@", odd)
        self.write(f"versions/{SERVER}/{version}/{SERVER}", text)

    def run(self, *words, cut=None, wrap=()):
        environment = {**os.environ, "PATH": f"{self.dir}/bin:{os.environ['PATH']}", "PLAYED": self.dir}
        preload = []
        if cut is not None:
            environment["CUT_AT"] = str(cut)
            environment["ASAN_OPTIONS"] = "verify_asan_link_order=0"
            preload = ["env", "LD_PRELOAD=" + os.path.join(BUILD, "tests/libcut.so")]
        command = [*self.wrap, *wrap, *preload, os.path.join(BUILD, "opctl/opctl"), *words, "--config", self.at("partita.conf")]
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            # Into files: the servers that are started would keep pipes open.
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, timeout=60, check=False)
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(words, done.returncode, out.read(), err.read())

    def pid_of(self, name):
        with open(self.at("units", name), encoding="ascii") as file:
            return int(file.read())

    def serving(self):
        """{instance: version} of those that run and were not told to end."""
        found = {}
        for name in sorted(os.listdir(self.at("units"))):
            with contextlib.suppress(OSError, ValueError):
                if name.endswith(".stop") or os.path.exists(self.at("units", name + ".stop")) or self.pid_of(name) == 0:
                    continue
                with open(f"/proc/{self.pid_of(name)}/stat", encoding="ascii") as file:
                    if file.read().split()[2] == "Z":
                        continue
                with open(self.at("run/partita-admin", name, "version"), encoding="utf-8") as file:
                    found[name.split("@")[1]] = file.read()
        return found

    def link(self, name):
        with contextlib.suppress(OSError):
            return os.path.basename(os.readlink(self.at("running", f"{SERVER}@{name}")))

    def at_boot(self):
        """{instance: version} of those that start at boot."""
        names = [name.removeprefix(SERVER + "@").removesuffix(".service") for name in os.listdir(self.at("wants"))]
        return {name: self.link(name) for name in sorted(names)}

    def tree(self):
        return {where: sorted((name, os.readlink(self.at(where, name))) for name in os.listdir(self.at(where))) for where in ("running", "wants")}

    def forget(self):
        """No links but those of what serves, as before the first deployment of another version."""
        for name in os.listdir(self.at("running")):
            if name.split("@")[1] not in ["1", *self.serving()]:
                os.unlink(self.at("running", name))

    def stands(self, version, count):
        """This version serves, starts at boot, and is what the socket starts."""
        sides = list(self.serving())
        assert list(self.serving().values()) == [version] * count, (self.serving(), self.tree())
        assert self.at_boot() == dict.fromkeys(sides, version) and self.link("1") == version, (self.serving(), self.tree())

    def close(self):
        for name in os.listdir(self.at("units")):
            with contextlib.suppress(OSError, ValueError):
                if not name.endswith(".stop") and self.pid_of(name) > 0:
                    os.kill(self.pid_of(name), signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)
