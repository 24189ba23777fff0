"""Twin tests: a training that was ended and goes on has the bits of one that was not."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from gdexp import GdexpError, Status, Stopping, TrainingResult
from gdexp.checkpoints import CheckpointFolder, Checkpointing
from gdexp.training import Kept, TrainingLoop, UpdateSettings
from tests.training.small_training import Small
from tests.training.small_variants import At, Kill, Ordered, Recording, WithState

ADAM: dict[str, Any] = {"name": "torch", "class_name": "AdamW", "lr": 0.01}
OWN = "tests.training.updates.own_optimizers"


def settings(group: dict[str, Any]) -> UpdateSettings:
    return UpdateSettings.from_config(group, [str(group.get("class_name"))])


def train(
    folder: Path,
    stopping: Stopping,
    *,
    saves: Iterable[int] = (),
    kill: int | None = None,
    group: dict[str, Any] = ADAM,
    make: Callable[[], Any] | None = None,
    **options: Any,
) -> TrainingResult | None:
    """The result; None where it was killed."""
    torch.rand(random.randrange(9)), np.random.rand(3)  # another process is somewhere else
    checkpoints = At(folder, saves, kill)
    loop = TrainingLoop(
        make or Small, "small", settings(group), stopping, checkpoints=checkpoints, **options
    )
    checkpoints.loop = loop
    try:
        return loop.run()
    except Kill:
        return None


def assert_same(one: TrainingResult | None, other: TrainingResult | None) -> None:
    assert one is not None
    assert other is not None
    assert (one.status, one.updates, one.epochs) == (other.status, other.updates, other.epochs)
    assert one.trace.tobytes() == other.trace.tobytes()
    assert one.readings.keys() == other.readings.keys()
    for name, each in one.readings.items():
        assert each.tobytes() == other.readings[name].tobytes()
    assert one.digests == other.digests
    assert torch.equal(one.final, other.final)
    for own, theirs in ((one.state, other.state), (one.best_state, other.best_state)):
        assert (own is None) == (theirs is None)
        for name, tensor in (own or {}).items():
            assert torch.equal(tensor, (theirs or {})[name]), name


LIMIT = Stopping(1e-9, 23, every=4)

# Inside the first epoch, at its last batch, at the first of the next, and later.
PLACES = {"inside": [3], "last batch": [5], "boundary": [6], "many": [2, 3, 4, 7, 13, 18]}


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_killed_and_resumed_it_ends_with_the_same_bits(place: str, tmp_path: Path) -> None:
    whole_seen: list[float] = []
    seen: list[float] = []

    def make(own: list[float]) -> Callable[[], Recording]:
        def made() -> Recording:
            training = Recording()
            training.seen = own
            return training

        return made

    whole = train(tmp_path / "a", LIMIT, make=make(whole_seen))
    for save in PLACES[place]:
        killed = train(tmp_path / "b", LIMIT, saves=[save], kill=save + 1, make=make(seen))
        assert killed is None
        del seen[save:]  # the update after the checkpoint is made again
    assert_same(train(tmp_path / "b", LIMIT, make=make(seen)), whole)
    assert seen == whole_seen  # the batches of all epochs, once each


OPTIMIZERS: dict[str, dict[str, Any]] = {
    "groups, average, clipping": ADAM
    | {"groups": [{"match": "*.bias", "weight_decay": 0.0}], "ema": 0.9, "clip_norm": 1.0},
    "accumulation": ADAM | {"accumulate": 2},
    "warm-up and cosine": {
        "name": "momentum",
        "lr": 0.1,
        "schedule": {"name": "warmup_cosine", "steps": 23, "warmup": 4},
    },
    "sequential": ADAM
    | {
        "schedule": {
            "name": "torch",
            "class_name": "SequentialLR",
            "options": {
                "schedulers": [
                    {"class_name": "LinearLR", "options": {"total_iters": 7}},
                    {"class_name": "MultiStepLR", "options": {"milestones": [3, 9]}},
                ],
                "milestones": [7],
            },
        }
    },
    "plateau": ADAM
    | {
        "schedule": {
            "name": "torch",
            "class_name": "ReduceLROnPlateau",
            "options": {"patience": 0},
            "metric": "val_loss",
        }
    },
    "each epoch": ADAM
    | {
        "schedule": {
            "name": "torch",
            "class_name": "StepLR",
            "options": {"step_size": 1, "gamma": 0.5},
            "interval": "epoch",
        }
    },
    "other dtypes": {"name": "torch", "class_name": f"{OWN}.AdafactorLike", "lr": 0.01},
    "modes": {"name": "torch", "class_name": f"{OWN}.Switching", "lr": 0.1},
    "LBFGS": {"name": "torch", "class_name": "LBFGS", "lr": 0.1, "options": {"max_iter": 2}},
    "bfloat16": ADAM | {"autocast": "bfloat16"},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_schedules_and_averages_go_on(name: str, tmp_path: Path) -> None:
    group, kept = OPTIMIZERS[name], Kept(True, "best")
    stopping = Stopping(2.0, 23, absolute=True, metric="accuracy", mode="max", every=4)
    whole = train(tmp_path / "a", stopping, group=group, kept=kept)
    for save in (4, 11):  # the first right after an evaluation
        assert train(tmp_path / "b", stopping, saves=[save], kill=save, group=group) is None
    assert_same(train(tmp_path / "b", stopping, group=group, kept=kept), whole)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_with_workers_go_on(workers: int, tmp_path: Path) -> None:
    def make() -> Small:
        return Small(workers=workers)

    whole = train(tmp_path / "a", LIMIT, make=make)
    assert train(tmp_path / "b", LIMIT, saves=[8], kill=9, make=make) is None
    assert_same(train(tmp_path / "b", LIMIT, make=make), whole)


@pytest.mark.slow
@pytest.mark.parametrize("goal", [None, 0.01])
def test_one_that_made_more_than_the_cap_allows_by_now_ends_with_what_it_made(
    goal: float | None, tmp_path: Path
) -> None:
    until = LIMIT if goal is None else replace(LIMIT, threshold=1.0, continue_to=goal)
    train(tmp_path, until, saves=[13], kill=14)
    capped = train(tmp_path, replace(until, cap=6))
    assert capped is not None
    assert capped.stopping.cap == 13
    assert_same(capped, train(tmp_path / "again", capped.stopping))
    assert capped.iterations <= 13
    assert capped.status is (Status.CAPPED if goal is None else Status.CONVERGED)


def test_patience_goes_on_where_it_was(tmp_path: Path) -> None:
    stopping = Stopping(2.0, 500, absolute=True, metric="accuracy", mode="max", every=2, patience=5)
    whole = train(tmp_path / "a", stopping)
    assert whole is not None
    assert whole.status is Status.PLATEAU
    saved = whole.updates - 5  # three evaluations without improvement, and two to come
    assert train(tmp_path / "b", stopping, saves=[saved], kill=saved) is None
    assert_same(train(tmp_path / "b", stopping), whole)


def test_other_batches_than_before_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(tmp_path, LIMIT, saves=[3], kill=3, make=Ordered) is None
    monkeypatch.setattr(Ordered, "offset", 1)
    message = "problem=small: cannot be resumed: batch 3 of epoch 1 is another one than before"
    with pytest.raises(GdexpError, match=message):
        train(tmp_path, LIMIT, make=Ordered)


def test_a_loader_with_a_state_is_not_skipped_but_set(tmp_path: Path) -> None:
    whole = train(tmp_path / "a", LIMIT, make=WithState)
    assert train(tmp_path / "b", LIMIT, saves=[8], kill=8, make=WithState) is None
    assert_same(train(tmp_path / "b", LIMIT, make=WithState), whole)


def test_another_model_is_refused_and_named(tmp_path: Path) -> None:
    assert train(tmp_path, LIMIT, saves=[3], kill=3) is None
    with pytest.raises(GdexpError, match=r"begins with other weights than before, 0\.bias"):
        train(tmp_path, LIMIT, make=lambda: Small(width=9))


class Twins(Small):
    """Two layers of one shape, by name, in an order that a test changes."""

    order = ("one", "two")

    def model(self) -> nn.Module:
        layers = {name: nn.Linear(4, 4) for name in self.order}
        return nn.Sequential(OrderedDict([*layers.items(), ("last", nn.Linear(4, 2))]))


def test_swapped_layers_of_one_shape_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(tmp_path, LIMIT, saves=[3], kill=3, make=Twins) is None
    monkeypatch.setattr(Twins, "order", ("two", "one"))
    with pytest.raises(GdexpError, match=r"begins with other weights than before, one\.bias"):
        train(tmp_path, LIMIT, make=Twins)


class Noisy:
    """Items with noise of numpy's generator, which each worker has for itself."""

    def __len__(self) -> int:
        return 64

    def __getitem__(self, item: int) -> tuple[torch.Tensor, int]:
        return torch.from_numpy(np.random.rand(4)).float() + item / 64, item % 2


class ByWorkers(Recording):
    """Small on items that four workers make."""

    def batches(self, generator: torch.Generator) -> Iterable[Any]:
        items: Any = Noisy()
        return DataLoader(items, 16, True, generator=generator, num_workers=4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker processes")
def test_the_noise_of_four_workers_repeats_and_goes_on(tmp_path: Path) -> None:
    def run(folder: str, **options: Any) -> tuple[list[float], TrainingResult | None]:
        seen: list[float] = []

        def make() -> ByWorkers:
            training = ByWorkers()
            training.seen = seen
            return training

        return seen, train(tmp_path / folder, Stopping(1e-9, 8, every=4), make=make, **options)

    first, whole = run("a")
    assert len(set(first)) == 8  # two epochs, no two batches alike
    begun, killed = run("b", saves=[6], kill=6)
    rest, resumed = run("b")
    assert killed is None
    assert begun + rest == first
    assert_same(resumed, whole)


@pytest.mark.slow
def test_a_checkpoint_of_other_settings_or_code_is_refused(tmp_path: Path) -> None:
    assert train(tmp_path, LIMIT, saves=[3], kill=3) is None
    given = CheckpointFolder(tmp_path), None, {}, lambda about: "train.py changed"
    with pytest.raises(GdexpError, match=r"checkpoint .*: train\.py changed"):
        TrainingLoop(Small, "s", settings(ADAM), LIMIT, checkpoints=Checkpointing(*given)).run()
    said: list[str] = []
    fresh = Checkpointing(*given, drops_others=True, warn=said.append)
    begun = TrainingLoop(Small, "small", settings(ADAM), LIMIT, checkpoints=fresh).run()
    assert fresh.resumed_at is None
    assert said[0].endswith("train.py changed; the descent begins again")
    assert_same(begun, train(tmp_path / "other", LIMIT))


def moved() -> Ordered:
    """Ordered, with its data in another order."""
    made = Ordered()
    made.offset = 1
    return made


@pytest.mark.parametrize("is_damaged", [False, True])
def test_a_trial_whose_checkpoint_cannot_be_used_begins_again_and_says_why(
    is_damaged: bool, tmp_path: Path
) -> None:
    assert train(tmp_path, LIMIT, saves=[3, 5], kill=5, make=Ordered) is None
    for each in tmp_path.iterdir() if is_damaged else ():
        each.write_bytes(each.read_bytes()[:-9])
    said: list[str] = []
    saves = Checkpointing(CheckpointFolder(tmp_path), None, {}, drops_others=True, warn=said.append)
    begun = TrainingLoop(moved, "small", settings(ADAM), LIMIT, checkpoints=saves).run()
    assert said[0].count("is not used") == 2 * is_damaged
    assert ("of epoch 1 is another one than before" in said[0]) != is_damaged
    assert said[0].endswith("; the descent begins again")
    assert saves.resumed_at is None
    assert_same(begun, train(tmp_path / "other", LIMIT, make=moved))


@pytest.mark.slow
def test_a_damaged_checkpoint_is_replaced_by_the_one_before(tmp_path: Path) -> None:
    whole = train(tmp_path / "a", LIMIT)
    assert train(tmp_path / "b", LIMIT, saves=[3, 8], kill=9) is None
    newest = max((tmp_path / "b").iterdir())
    newest.write_bytes(newest.read_bytes()[:-9])
    assert_same(train(tmp_path / "b", LIMIT), whole)


def test_seconds_before_the_kill_count(tmp_path: Path) -> None:
    stopping = Stopping(1e-9, 10**6, every=1000, max_seconds=0.4)
    assert train(tmp_path, stopping, saves=[5, 10**6], kill=6) is None
    found = CheckpointFolder(tmp_path).load()
    assert found is not None
    CheckpointFolder(tmp_path).save(6, {**found.state, "seconds": 0.3})
    result = train(tmp_path, stopping)
    assert result is not None
    assert result.status is Status.OUT_OF_TIME
    assert 0.4 <= result.seconds < 0.55


def test_a_full_disk_names_it_and_the_earlier_checkpoint_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from gdexp.core.errors import StorageFailed

    whole = train(tmp_path / "a", LIMIT)
    with monkeypatch.context() as full:

        def replace(source: Path, target: Path) -> None:
            if "12" in str(target.name):
                raise OSError(errno.ENOSPC, "No space left on device")
            real(source, target)

        import os

        real = os.replace
        full.setattr("gdexp.checkpoints.folder.os.replace", replace)
        with pytest.raises(StorageFailed, match=r"000000000012\.safetensors: the disk is full"):
            train(tmp_path / "b", LIMIT, saves=[7, 12])
    assert [each.name for each in (tmp_path / "b").iterdir()] == ["000000000007.safetensors"]
    assert_same(train(tmp_path / "b", LIMIT, saves=[12]), whole)
