"""Real data with faults: water mains after river's WaterFlow, as JSON lines for `streamrnn produce`.

`replay.py FILE EVENTS SEED`. Each main follows the measured flow (hourly, Tarragona) from an hour of its own on and
begins again at its end. Faults of four kinds are injected; the same seed makes the same file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from streamrnn.app.fleet import FAULTS, water_flow

MAINS = 24
FIRST_FAULT = 300  # events of a main that are left as they were measured
FAULT_EVERY = 1000  # events, on average


class Main:
    """One series of flows and what is wrong with it."""

    def __init__(self, number: int, seed: int, flows: np.ndarray) -> None:
        self.key = f"main-{number}"
        self._random = np.random.Generator(np.random.Philox(key=(seed << 32) + number))
        self._flows = np.roll(flows, -int(self._random.integers(len(flows))))
        self._change = float(np.mean(np.abs(np.diff(flows))))  # from one hour to the next
        self._fault, self._left, self._last = "", 0, float(self._flows[0])

    def value(self, step: int) -> float:
        """The flow at `step`; call with increasing steps."""
        flow = float(self._flows[step % len(self._flows)])
        chance, kind, noise = self._random.random(), int(self._random.integers(len(FAULTS))), self._random.normal()
        if self._left == 0 and step > FIRST_FAULT and chance < 1 / FAULT_EVERY:
            self._fault = FAULTS[kind]
            self._left = 1 if self._fault == "spike" else 30
        if self._left:
            self._left -= 1
            flow = {
                "spike": flow + 20 * self._change,
                "level shift": flow - 15 * self._change,
                "frozen": self._last,
                "noise": flow + 4 * self._change * noise,
            }[self._fault]
        self._last = round(flow, 3)
        return self._last


def main(path: Path, events: int, seed: int) -> None:
    """Write `events` lines, the mains in turn."""
    flows = np.array([reading.value for reading in water_flow()])
    mains = [Main(number, seed, flows) for number in range(1, MAINS + 1)]
    with path.open("w") as file:
        for index in range(events):
            step, turn = divmod(index, MAINS)
            file.write(json.dumps({"key": mains[turn].key, "value": mains[turn].value(step)}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
