"""Undocumented parts of submitit and Ray: what a new version lacks is named."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from gdexp.sweeps.launchers import ray_internals, submitit_internals
from gdexp.sweeps.launchers.library_parts import missing_parts


def test_submitit_has_every_part_that_is_used() -> None:
    assert missing_parts(submitit_internals.PARTS) == []


def test_a_part_that_submitit_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("submitit.core.core.Job.watcher")
    assert missing_parts(submitit_internals.PARTS) == ["submitit.core.core:Job.watcher"]


@pytest.fixture
def ray_worker(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A stand-in for `ray._private.worker`, in a Ray that has nothing else."""
    worker = SimpleNamespace(printed=[])
    worker.print_to_stdstream = lambda data, **_: worker.printed.extend(data["lines"])
    private = ModuleType("ray._private")
    vars(private)["worker"] = worker
    for name, module in [("ray", ModuleType("ray")), ("ray._private", private)]:
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "ray._private.worker", worker)
    return worker


def test_a_part_that_ray_lacks_is_named(ray_worker: SimpleNamespace) -> None:
    del ray_worker.print_to_stdstream
    assert missing_parts(ray_internals.PARTS) == list(ray_internals.PARTS)


def test_messages_of_ray_are_collected_and_output_of_tasks_is_printed(
    ray_worker: SimpleNamespace,
) -> None:
    before = ray_worker.print_to_stdstream
    with ray_internals.captured_messages() as messages:
        ray_worker.print_to_stdstream({"pid": "raylet", "lines": ["one"]}, ignore_prefix=False)
        ray_worker.print_to_stdstream({"pid": 7, "lines": ["two"]}, ignore_prefix=False)
    assert (messages, ray_worker.printed) == (["one"], ["two"])
    assert ray_worker.print_to_stdstream is before
