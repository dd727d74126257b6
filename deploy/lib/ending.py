"""Ctrl-C and its like. They are noted when they come and obeyed between two steps and while a command runs, never in the
middle of something: what was begun is known, so it can be ended."""
import ctypes
import os
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
asked = []


class Interrupted(Exception):
    """Somebody wants it ended."""


def listen():
    """From now on; what came since deploy/up blocked the signals is noted at once."""
    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, lambda *_: asked.append(True))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def check():
    if asked:
        raise Interrupted


def pass_on(pid):
    """What comes from now on is that process's, too."""
    def to_both(*_):
        asked.append(True)
        os.kill(pid, signal.SIGTERM)
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, to_both)
    if asked:
        os.kill(pid, signal.SIGTERM)


def die_with_parent(number):
    """In a child, last before it executes its program: the kernel sends it this signal when its parent is gone, however."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def fork():
    """As os.fork(), but no signal is lost on the child: until it executes another program it dies of it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    pid = os.fork()
    if pid == 0:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    return pid


def call(command, text=None, patience=5):
    """Runs a command to its end and returns it finished. Told to end meanwhile, lets it work on for `patience` seconds,
    then ends it with all that it started."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL if text is None else subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        last = None
        while True:
            try:
                out, err = process.communicate(text, timeout=0.1)
                return subprocess.CompletedProcess(command, process.returncode, out, err)
            except subprocess.TimeoutExpired:
                text = None  # it is on its way
            if asked:
                last = last or time.monotonic() + patience
                if time.monotonic() >= last:
                    end_group(process)
                    raise Interrupted


def end_group(process):
    """A build tool passes the signal on to the compilers; what is left after that has no say."""
    signal_group(process.pid, signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        pass
    signal_group(process.pid, signal.SIGKILL)


def signal_group(pid, number):
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        pass
