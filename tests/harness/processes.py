"""Processes of this machine, seen through /proc."""

import os
import signal
from pathlib import Path


def command_lines() -> dict[int, str]:
    """The command line of every process, by process id."""
    lines = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                raw = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            lines[int(entry.name)] = raw.replace(b"\0", b" ").decode(errors="replace").strip()
    return lines


def that_mention(text: str) -> list[int]:
    """The processes, other than this one, whose command line has the text."""
    return [pid for pid, line in command_lines().items() if text in line and pid != os.getpid()]


def agents_of(data_dir: str) -> list[int]:
    """The agent processes that work for the server of this data directory."""
    lines = command_lines()
    return [pid for pid in that_mention(data_dir) if " agent " in f"{lines.get(pid, '')} "]


def kill_all_that_mention(text: str) -> None:
    """kill -9 to every process whose command line has the text."""
    for pid in that_mention(text):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
