"""Objects appear, move on curved tracks and vanish: where will each be next?

Every object is a series of its own with two targets, x and y, and lives for some forty frames. No object lives long
enough to be learned alone. What its track has in common with those before - how things turn and brake here - is
learned by the network and the linear models that all series of a partition share.

    python examples/tracked_objects.py [--plot tracks.svg]
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

import streamrnn

OBJECTS, FRAMES_PER_SECOND = 400, 10


def tracks(seed: int = 0) -> pd.DataFrame:
    """One row per object and frame: `time`, `key`, `x`, `y`. Objects drive a bend whose sharpness varies."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(OBJECTS):
        born, life = number * 6, int(rng.integers(25, 60))
        heading, speed, turn = rng.uniform(0, 2 * np.pi), rng.uniform(1, 3), rng.normal(0, 0.12)
        place = rng.uniform(-50, 50, 2)
        for frame in range(life):
            turn = 0.97 * turn + rng.normal(0, 0.01)
            heading, speed = heading + turn, speed * (0.985 if abs(turn) > 0.1 else 1.005)
            place = place + speed * np.array([np.cos(heading), np.sin(heading)])
            seen = place + rng.normal(0, 0.05, 2)
            rows.append((1_767_225_600 + (born + frame) / FRAMES_PER_SECOND, f"object-{number}", *seen))
    return pd.DataFrame(rows, columns=["time", "key", "x", "y"]).sort_values("time", kind="stable", ignore_index=True)


def errors(frame: pd.DataFrame, preset: str = "standard") -> pd.DataFrame:
    """Mean distance between forecast and place, by age of the object, beside two rules of thumb."""
    model = streamrnn.StreamModel(1, preset=preset, target=["x", "y"], key="key", time="time")
    said = model.update(frame)
    rows = len(frame)
    found = frame.copy()
    found["said_x"] = said["expected"].to_numpy()[:rows]
    found["said_y"] = said["expected"].to_numpy()[rows:]
    groups = found.groupby("key")
    found["age"] = groups.cumcount()
    one, two = groups[["x", "y"]].shift(1), groups[["x", "y"]].shift(2)
    straight = 2 * one - two
    distances = {
        "streamrnn": np.hypot(found["x"] - found["said_x"], found["y"] - found["said_y"]),
        "stays": np.hypot(found["x"] - one["x"], found["y"] - one["y"]),
        "straight on": np.hypot(found["x"] - straight["x"], found["y"] - straight["y"]),
    }
    late = found["time"] > found["time"].quantile(0.5)  # when half of the objects have been seen
    table = pd.DataFrame(distances)[late & (found["age"] >= 2)]
    ages = pd.cut(found["age"][table.index], [1, 5, 10, 20, 100], labels=["2-5", "6-10", "11-20", "21+"])
    return table.groupby(ages, observed=True).mean().rename_axis("age in frames")


def plot(frame: pd.DataFrame, path: str) -> None:
    """Some tracks, with what was expected."""
    import matplotlib.pyplot as plt

    said = streamrnn.StreamModel(1, target=["x", "y"], key="key", time="time").update(frame)["expected"].to_numpy()
    frame = frame.assign(said_x=said[: len(frame)], said_y=said[len(frame) :])
    figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
    for key in frame["key"].unique()[-12:]:
        track = frame[frame["key"] == key]
        axes.plot(track["x"], track["y"], color="0.6", linewidth=3)
        axes.plot(track["said_x"][2:], track["said_y"][2:], "b.", markersize=3)
    axes.set(title="Tracks (grey) and where each object was expected (blue)", aspect="equal")
    figure.savefig(path)
    plt.close(figure)


if __name__ == "__main__":
    print(errors(tracks()).round(3))
    if "--plot" in sys.argv:
        plot(tracks(), sys.argv[sys.argv.index("--plot") + 1])
