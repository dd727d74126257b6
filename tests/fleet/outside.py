#!/usr/bin/python3 -B
"""The load from outside the machine's life: it goes on while the machine is down, and does what is asked for on the board.

usage: outside.py BOARD      BOARD: the folder shared with the machine; info.json there names clients and people

In the end it looks at what was kept once more and leaves its account there, load.json. What failed is not judged here.
"""
import json
import os
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
from kept import Kept, Volatile  # noqa: E402  (after the path to it)
from load import Load  # noqa: E402


class Outside(Load):
    def __init__(self, board):
        with open(os.path.join(board, "info.json"), encoding="utf-8") as file:
            super().__init__(json.load(file))
        self.board, self.ended = board, threading.Event()
        self.kept, self.volatile = Kept(self), Volatile(self)

    def start(self):
        self.kept.make()
        for kind in self.kept.kinds():
            self.run("kept-" + kind.__name__, kind)
        return super().start()

    def write(self, name, text):
        path = os.path.join(self.board, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)

    # --- what the machine asks for ---

    def has_gone_round(self):
        """Every worker has ended the round that it was in, and another."""
        then = dict(self.rounds)
        while not self.ended.is_set() and any(self.rounds[worker] < count + 2 for worker, count in then.items()):
            time.sleep(0.05)

    def fresh_connections(self):
        self.fresh.set()
        self.has_gone_round()

    def kept_connections(self):
        self.fresh.clear()

    def last_look(self):
        account = self.stop()
        self.write("load.json", json.dumps({**account, "lost": self.kept.last_look(), "kept": self.kept.used}))
        self.ended.set()

    def answer(self, name):
        words = {"steady": self.has_gone_round, "fresh-connections": self.fresh_connections, "kept-connections": self.kept_connections,
                 "make-volatile": self.volatile.make, "volatile-is-gone": self.volatile.is_gone, "last-look": self.last_look}
        said = ""
        try:
            words[name.split(".")[0].removeprefix("ask-")]()
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        self.write(name + ".done", said)

    def answer_all(self):
        while not self.ended.wait(0.05):
            asked = [name for name in os.listdir(self.board) if name.startswith("ask-") and not name.endswith((".done", ".new"))]
            for name in sorted(asked):
                if not os.path.exists(os.path.join(self.board, name + ".done")):
                    self.answer(name)


def main():
    load = Outside(sys.argv[1])
    load.start()
    load.answer_all()


if __name__ == "__main__":
    main()
