"""Whoever changes what is stored says so: `python -m tests.state.test_layouts` notes the layout of a new version."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from streamrnn.config.tree import Config, ModelConfig
from streamrnn.errors import SnapshotMismatch
from streamrnn.forecasting.model import settings_of
from streamrnn.runtime.task import make_model
from streamrnn.state import migrations, settings
from streamrnn.state.arrays import fields
from streamrnn.state.split_model import SETTING
from tests.streams import configured, restore

NOTED = Path(__file__).parent / "layouts.json"
CONFIGURATIONS = [
    configured(model__preset=preset, model__horizon=horizon, event__targets=["a", "b"], event__features=["f"])
    for preset in ("lite", "standard", "full")
    for horizon in (1, 12)
] + [
    configured(model__weights="series"),
    configured(model__horizon=12, event__features=["f"], event__future=["g", "h"]),
    configured(task="regression", event__features=["f"], labels__pending=4),
    configured(task="classification", event__features=["f"], labels__pending=4, labels__max_classes=3),
]


def layouts() -> dict[str, str]:
    """A digest of each part's arrays over several configurations."""
    found = {part: hashlib.blake2b(digest_size=8) for part in migrations.PARTS}
    for config in CONFIGURATIONS:
        model = make_model(config)
        reader = model._layouts
        for tree, first in ((model.series.arrays, 1), (model.shared, 0)):
            for name, array in fields(tree):
                part, inner = reader._part(name)
                found[part].update(f"{inner} {array.dtype.str} {array.shape[first:]};".encode())
        if not config.labelled:  # offsets within the arrays
            found["forecaster"].update(repr(model._config.forecaster.at).encode())  # type: ignore[attr-defined]
        model.close()
    return {part: digest.hexdigest() for part, digest in found.items()}


def versions() -> dict[str, str]:
    return {part: str(migrations.present()[i]) for i, part in enumerate(migrations.PARTS)}


@pytest.mark.parametrize("part", migrations.PARTS)
def test_a_changed_layout_has_a_new_version(part: str) -> None:
    noted = json.loads(NOTED.read_text())
    assert layouts()[part] == noted[part].get(versions()[part]), (
        f"the layout of the {part} is not the one noted for version {versions()[part]}: add a line to CHANGES in "
        "streamrnn/state/migrations.py, then run `python -m tests.state.test_layouts`"
    )


def test_every_setting_of_the_model_shapes_the_state_or_is_free() -> None:
    for name in ModelConfig.model_fields:
        dotted = f"model.{name}"
        assert (dotted in settings.FORECAST) != (dotted in settings.FREE), dotted


@pytest.mark.parametrize(("known", "task"), [(settings.FORECAST, "forecast"), (settings.LABELLED, "regression")])
def test_what_older_states_do_not_name_has_todays_default(known: dict[str, object], task: str) -> None:
    """Until a default changes: then this test names the exception, and older states keep their meaning."""
    document = Config().model_dump(mode="json")
    own = {"task": task, "event.targets": ["value"], "partitions": document["file"]["partitions"]}
    for name, value in known.items():
        section, _, key = name.partition(".")
        default = own.get(name, document[section][key] if key else None)
        if task == "regression" and name in ("model.hidden_size", "model.truncation_length"):
            continue  # None in the configuration
        assert value == default, name


def test_every_setting_that_gives_meaning_is_compared() -> None:
    """A name in the list alone would not be: the state of another time zone was taken for this one's."""
    assert settings_of(configured()).keys() == settings.FORECAST.keys() - {SETTING}  # which a split model adds
    model = make_model(configured(event__time_zone="Europe/Berlin"))
    messages = list(model.snapshot(0))
    with pytest.raises(SnapshotMismatch, match=r"event\.time_zone was 'Europe/Berlin', is None"):
        restore(make_model(configured()), messages)


def main() -> None:
    """Note the layouts of new versions; what was noted stays."""
    noted = json.loads(NOTED.read_text()) if NOTED.exists() else {}
    for part, digest in layouts().items():
        noted.setdefault(part, {}).setdefault(versions()[part], digest)
    NOTED.write_text(json.dumps(noted, indent=2) + "\n")


if __name__ == "__main__":
    main()
