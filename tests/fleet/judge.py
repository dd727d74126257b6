"""Which failed requests of the load count: all but those in flight on a process that was killed, or sent while the machine was off."""


def in_flight(failure, kill):
    """It began before the process was gone, on a connection to that server, and ended without an answer of it."""
    return (failure["server"] == kill["server"] and failure["began"] <= kill["dead"] and failure["ended"] >= kill["sent"]
            and failure["how"].startswith(("connection: ", "502")))


def off(failure, down):
    """The machine was shutting down, off or booting."""
    return down[0] <= failure["ended"] and failure["began"] <= down[1] and failure["how"].startswith(("connection: ", "502", "503", "504"))


def full(failure, disk):
    """Said to be temporary, by a server that could not write."""
    return disk and disk["from"] <= failure["ended"] and failure["began"] <= disk["until"] and failure["how"].startswith("503")


def by_bad_version(failure, refused):
    """The errors for which a version was refused: somebody had to meet them."""
    return any(bad["version"].endswith("-errors") and failure["server"] == bad["server"] and "403 instead of 201" in failure["how"]
               and bad["from"] <= failure["began"] <= bad["until"] for bad in refused)


class Verdict:
    def __init__(self, load, kills, downs, disk, refused):
        self.requests, self.failed, self.lost = load["requests"], [], list(load["lost"])
        self.killed, self.off, self.full, self.bad = 0, 0, 0, 0
        taken = [0] * len(kills)
        for failure in load["failures"]:
            kill = next((n for n, kill in enumerate(kills) if in_flight(failure, kill)), None)
            if kill is not None and taken[kill] < kills[kill]["connections"]:
                taken[kill] += 1
                self.killed += 1
            elif any(off(failure, down) for down in downs):
                self.off += 1
            elif full(failure, disk):
                self.full += 1
            elif by_bad_version(failure, refused):
                self.bad += 1
            else:
                self.failed.append(failure)
        self.connections = sum(kill["connections"] for kill in kills)
        steady = [(since, until) for _, worker, since, until in load["pauses"] if not worker.startswith("kept-")]
        aside = downs + ([(disk["from"], disk["until"])] if disk else [])
        self.gap_ms = round(1000 * max((until - since for since, until in steady if not any(a <= until and since <= b for a, b in aside)), default=0))
        self.down_ms = round(1000 * max((until - since for since, until in steady if any(a <= until and since <= b for a, b in downs)), default=0))
        self.lost += [f"the worker {name} is stuck" for name in load["stuck"]]
