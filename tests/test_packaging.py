"""The wheel holds every package and every data file that lies on disk."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOPS = {"loganalyzer": "loganalyzer", "parsers": "loganalyzer/parsers", "signatures": "loganalyzer/signatures"}
DATA = {".yml", ".yaml", ".json", ".html", ".js", ".css", ".txt"}


def setuptools_config() -> dict[str, Any]:
    config: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    return config


def installed_names() -> dict[str, Path]:
    """Every module and data file of the three top-level folders, by its name in the wheel."""
    names = {}
    for top, inside in TOPS.items():
        for path in (ROOT / top).rglob("*"):
            if path.is_file() and (path.suffix in DATA | {".py"} or path.name == "py.typed"):
                names[f"{inside}/{path.relative_to(ROOT / top).as_posix()}"] = path
    assert len(names) > 50
    return names


def test_every_package_is_listed() -> None:
    config = setuptools_config()
    listed = {config["package-dir"].get(name, name.replace(".", "/")) for name in config["packages"]}
    on_disk = {init.parent.relative_to(ROOT).as_posix() for top in TOPS for init in (ROOT / top).rglob("__init__.py")}
    assert listed == on_disk


def test_package_data_covers_every_data_file() -> None:
    config = setuptools_config()
    covered = set()
    for package, patterns in config["package-data"].items():
        folder = ROOT / config["package-dir"].get(package, package.replace(".", "/"))
        covered |= {path for pattern in patterns for path in folder.glob(pattern)}
    data = {path for path in installed_names().values() if path.suffix in DATA}
    assert data
    assert data <= covered, "not in the wheel"


@pytest.mark.slow
def test_the_wheel_holds_what_lies_on_disk(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == set(installed_names())
