"""A child that dies with its parent: the start of its command line, the same on every Linux, needing no tool."""

import os
import signal
import sys

# Runs between fork and exec, innermost: a change of user or of user namespace clears the death signal (prctl(2)).
# The parent may have died before prctl: then getppid() has changed, and the child ends at once.
_WRAPPER = (
    "import ctypes,os,sys;"
    "ctypes.CDLL(None).prctl(1,int(sys.argv[1]));"
    "os.getppid()==int(sys.argv[2]) or os._exit(125);"
    "os.execvp(sys.argv[3],sys.argv[3:])"
)


def dies_with_parent(signal_number: signal.Signals, parent_pid: int | None = None) -> tuple[str, ...]:
    """Put this before a command. The kernel sends the signal when the *thread* that forked ends: fork from the main thread."""
    parent = os.getpid() if parent_pid is None else parent_pid
    return (sys.executable, "-I", "-S", "-c", _WRAPPER, str(int(signal_number)), str(parent))
