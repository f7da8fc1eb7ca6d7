"""A program on a terminal of its own, with somebody who reads and types."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

from harness.server import kiln_binary

WITHIN = 120
# Lines, columns, and a size in pixels that nobody asks for.
SIZE = struct.pack("HHHH", 40, 160, 0, 0)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


# Makes the terminal its process's own, so that Ctrl-C reaches it, and becomes the command.
TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A kiln command whose input and output are a terminal."""

    def __init__(self, *arguments: str, environment: dict):
        self.screen = ""
        self.hand, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, SIZE)
        self.process = subprocess.Popen(
            [sys.executable, "-c", TAKE_TERMINAL, kiln_binary(), *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environment, "TERM": "xterm"},
            start_new_session=True,
        )
        os.close(slave)

    def expect(self, text: str, within: float = WITHIN) -> None:
        """Reads until the text is on the screen."""
        until = time.monotonic() + within
        while text not in self.screen:
            assert self._read(until), f"no {text!r} in {self.screen!r}"

    def type(self, keys: str) -> None:
        """Types."""
        os.write(self.hand, keys.encode())

    def end(self, within: float = WITHIN) -> int:
        """Reads to the end, and answers the exit status."""
        until = time.monotonic() + within
        while self._read(until):
            pass
        os.close(self.hand)
        return self.process.wait(timeout=max(1, until - time.monotonic()))

    def plain(self) -> str:
        """The screen without its colours."""
        return COLOUR.sub("", self.screen).replace("\r\n", "\n")

    def _read(self, until: float) -> bool:
        """Reads what there is; whether more can come."""
        readable, _, _ = select.select([self.hand], [], [], max(0, until - time.monotonic()))
        assert readable, f"nothing more came after {self.screen!r}"
        try:
            piece = os.read(self.hand, 65536)
        except OSError:
            # Nobody has the other side open any more.
            return False
        self.screen += piece.decode(errors="replace")
        return bool(piece)
