from __future__ import annotations

import base64
import csv
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.commands import SMALL
from tests.tools import need

Evaluate = Callable[..., tuple[int, str, str]]
OPTIONS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


def payload(page: str) -> dict[str, list[dict[str, object]]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, list[dict[str, object]]] = json.loads(found[1])
    return data


def test_the_page_holds_the_series(airline: Path, evaluate: Evaluate, tmp_path: Path) -> None:
    page = tmp_path / "pages" / "out.html"
    code, _, err = evaluate(airline, *SMALL, "--baselines", "seasonal", "--jobs", 1, "--plot", page)
    assert code == 0, err
    data = payload(page.read_text())
    series = data["traces"][0]["series"][0]  # type: ignore[index]
    target = series["targets"][0]
    observed = np.frombuffer(base64.b64decode(target["observed"]), "<f4") + target["zero"]
    with airline.open() as file:
        np.testing.assert_allclose(observed, [float(row["passengers"]) for row in csv.DictReader(file)])
    skill = np.frombuffer(base64.b64decode(target["skill"]), "<f4")
    models = data["document"]["files"][0]["targets"]["passengers"]["models"]  # type: ignore[call-overload]
    assert skill[-1] == pytest.approx(models["streamrnn"]["skill"], rel=1e-6)


def test_the_page_asks_for_nothing(airline: Path, evaluate: Evaluate, tmp_path: Path) -> None:
    page = tmp_path / "out.html"
    evaluate(airline, *SMALL, "--baselines", "none", "--plot", page)
    text = page.read_text()
    assert not re.search(r'(src|href)\s*=\s*["\'](?!data:)', text)
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(", text)
    assert "default-src 'none'" in text


def test_names_cannot_end_the_script(tmp_path: Path, evaluate: Evaluate) -> None:
    name = "</script><script>alert(1)</script>"
    path, page = tmp_path / "x.jsonl", tmp_path / "out.html"
    path.write_text("".join(json.dumps({"key": name, "time": 60 * i, "value": i % 3}) + "\n" for i in range(20)))
    code, _, err = evaluate(path, *SMALL, "--baselines", "none", "--plot", page)
    assert code == 0, err
    assert "<script>alert" not in page.read_text()
    assert payload(page.read_text())["traces"][0]["series"][0]["key"] == name  # type: ignore[index]


def test_unwritable_page(airline: Path, evaluate: Evaluate, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = evaluate(airline, *SMALL, "--baselines", "none", "--plot", tmp_path / "file" / "out.html")
    assert code == 1
    assert "cannot write" in err


@pytest.mark.browser
def test_a_browser_draws_it(fleet: Path, evaluate: Evaluate, tmp_path: Path) -> None:
    page = tmp_path / "out.html"
    code, _, err = evaluate(
        fleet, *SMALL, "--set", "model.horizon=2", "--baselines", "seasonal", "--jobs", 1, "--plot", page
    )
    assert code == 0, err
    drawn = subprocess.run(
        [need("chromium"), *OPTIONS, f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=5000",
         "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    assert drawn.count("<canvas") == 3
    assert re.search(r'<tr class="own"><td>streamrnn</td><td>[\d.,]+</td>', drawn)
    assert "2 series; preset standard, horizon 2" in drawn
