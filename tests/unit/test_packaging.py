"""The rooms are top-level packages; these are the guards that go with it (docs/decisions/0001)."""

from __future__ import annotations

import importlib
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOMS = ("mapping", "reconcile", "connectors", "state", "reports", "console", "sync", "sandbox")
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("room", ROOMS)
def test_room_belongs_to_no_other_distribution(room: str):
    """A namesake from the registry would silently stand in for ours."""
    owners = set(packages_distributions().get(room, []))

    assert owners <= {"headrace"}


def test_rooms_load_from_one_place():
    """Half a checkout and half a wheel is no installation."""
    parents = {Path(importlib.import_module(room).__file__ or "").parent.parent for room in ROOMS}

    assert len(parents) == 1


@pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="no checkout beside the tests")
def test_wheel_holds_every_room():
    """A room that is not listed would be missing from the wheel, and only there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == set(ROOMS)


@pytest.mark.skipif(not (ROOT / "requirements.lock").exists(), reason="no checkout beside the tests")
@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_hold_hashes_and_no_address(lock: str):
    """A build is the same behind any mirror."""
    text = (ROOT / lock).read_text(encoding="utf-8")

    assert "--hash=sha256:" in text
    assert "://" not in text
