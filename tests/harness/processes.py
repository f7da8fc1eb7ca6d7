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
    """The agent processes that work for the server of this data directory. Each leads a
    session, unlike who minds its tools, which has the same command line."""
    lines = command_lines()
    mentioned = [pid for pid in that_mention(data_dir) if " agent " in f"{lines.get(pid, '')} "]
    return [pid for pid in mentioned if _leads_a_session(pid)]


def have_ended(pids: list[int]) -> bool:
    """Whether all of them have, even if nobody has asked how."""
    return all(_state(pid) in ("", "Z") for pid in pids)


def kill_all_that_mention(text: str) -> None:
    """kill -9 to every process whose command line has the text."""
    for pid in that_mention(text):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def _leads_a_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


def _state(pid: int) -> str:
    """A letter, or nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
