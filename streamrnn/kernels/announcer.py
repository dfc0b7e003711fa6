"""Says what is being compiled, so that nobody waits in silence: seconds on a terminal, one line elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time

log = logging.getLogger(__name__)

TEXT = "compiling the model for this machine, once: half a minute or more ..."
_AHEAD = "(`streamrnn compile` does it ahead)"


class Announcer:
    """Of one process; a fork of it is silent."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self.said = False
        """Whether anything was compiled."""
        self._over: threading.Event | None = None
        self._thread: threading.Thread | None = None

    def begins(self, name: str) -> None:
        """The kernel `name` is compiled from now on."""
        if os.getpid() != self._process:
            return
        if sys.stderr is not None and sys.stderr.isatty():
            self.ends()
            self._over = threading.Event()
            self._thread = threading.Thread(target=_tick, args=(name, self._over), name="compiling", daemon=True)
            self._thread.start()
        elif not self.said:
            if log.hasHandlers():
                log.info("%s %s", TEXT, _AHEAD)
            elif sys.stderr is not None:  # logging would say nothing of it
                print(f"streamrnn: {TEXT} {_AHEAD}", file=sys.stderr, flush=True)
        self.said = True

    def ends(self) -> None:
        """It is compiled, or could not be."""
        if os.getpid() == self._process and self._over is not None and self._thread is not None:
            self._over.set()
            self._thread.join()  # a fork needs to be the only thread
            self._over = self._thread = None


def _tick(name: str, over: threading.Event) -> None:
    began = time.monotonic()
    while True:
        seconds = time.monotonic() - began
        text = f"\r\x1b[2Kcompiling for this machine, once: {name} {seconds:.0f} s"
        print(text, end="", file=sys.stderr, flush=True)
        if over.wait(1.0):
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
            return
