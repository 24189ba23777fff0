"""A training equals the loop that one writes by hand, bit for bit."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler, TensorDataset

from gdexp import BadInput, GdexpError, Status, Stopping, Training, TrainingResult
from gdexp.training import Kept, TrainingLoop, UpdateSettings
from tests.training.small_training import Hand, Small, hand_loop

SGD = {"name": "torch", "class_name": "SGD", "lr": 0.1}
NEVER = 1e-9


def train(
    make: Any, stopping: Stopping, *, seed: int = 0, optimizer: Any = None, **options: Any
) -> TrainingResult:
    settings = UpdateSettings.from_config(optimizer or SGD)
    return TrainingLoop(make, "small", settings, stopping, seed=seed, **options).run()


def by_hand(make: Any, **options: Any) -> Hand:
    return hand_loop(make, lambda p: torch.optim.SGD(p, 0.1), **options)


def assert_same(result: TrainingResult, hand: Hand) -> None:
    assert result.updates == hand.updates
    assert result.trace.tolist() == hand.losses
    found = {name: [tuple(row) for row in each] for name, each in result.readings.items()}
    assert found == hand.readings
    assert result.state.keys() == hand.state.keys()
    for name, each in hand.state.items():
        assert torch.equal(result.state[name], each), name


@pytest.mark.parametrize("seed", [0, 7])
def test_a_limit_ends_it_after_n_losses(seed: int) -> None:
    result = train(Small, Stopping(NEVER, 23, every=10), seed=seed)
    assert_same(result, by_hand(Small, seed=seed, updates=23, every=10))
    assert (result.status, len(result.trace)) == (Status.MAX_ITERATIONS, 23)
    assert result.readings["accuracy"][:, 0].tolist() == [0, 10, 20, 23]


def test_the_loss_ends_it_before_the_update() -> None:
    result = train(Small, Stopping(0.45, 500))
    hand = by_hand(Small, until=lambda loss, _: loss is not None and loss <= 0.45)
    assert_same(result, hand)
    assert result.status is Status.CONVERGED
    assert len(result.trace) == result.updates + 1
    assert result.updates - 1 < result.hitting_time <= result.updates


def test_equality_meets_the_threshold() -> None:
    first = train(Small, Stopping(NEVER, 20)).trace
    low = int(np.argmin(first))
    assert train(Small, Stopping(float(first[low]), 20)).updates == low


def test_a_metric_ends_it_at_a_reading() -> None:
    stopping = Stopping(0.9, 500, absolute=True, metric="accuracy", mode="max", every=5)
    result = train(Small, stopping)
    hand = by_hand(Small, every=5, until=lambda _, found: found.get("accuracy", 0) >= 0.9)
    assert_same(result, hand)
    assert (result.status, len(result.trace)) == (Status.CONVERGED, result.updates)
    (a, before), (b, after) = hand.readings["accuracy"][-2:]
    line = a + (0.9 - before) / (after - before) * (b - a)
    assert result.hitting_time == pytest.approx(line, rel=1e-12)
    assert result.resolution == 5


def test_a_start_that_meets_it_makes_no_update() -> None:
    stopping = Stopping(0.0, 9, absolute=True, metric="accuracy", mode="max")
    result = train(Small, stopping)
    assert (result.updates, len(result.trace), result.hitting_time) == (0, 0, 0.0)


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_batches_of_a_loader(workers: int) -> None:
    make = partial(Small, workers=workers)
    assert_same(train(make, Stopping(NEVER, 12)), by_hand(make, updates=12))


def test_evaluations_change_nothing() -> None:
    runs = [train(Small, Stopping(NEVER, 20, every=every)) for every in (1, 7, 1000)]
    for other in runs[1:]:
        assert runs[0].trace.tolist() == other.trace.tolist()
        assert runs[0].digests["final"] == other.digests["final"]


class TrainsInEvaluate(Small):
    """Puts the model into train mode, so that BatchNorm's buffers move."""

    def evaluate(self, model: Any) -> dict[str, Any]:
        model.train()
        return super().evaluate(model)


def test_modes_and_buffers_are_restored() -> None:
    plain, other = (train(make, Stopping(NEVER, 9, every=2)) for make in (Small, TrainsInEvaluate))
    assert plain.digests["final"] == other.digests["final"]


class FrozenNorm(Small):
    """Keeps BatchNorm in eval mode, as for fine-tuning."""

    def loss(self, model: Any, batch: Any) -> Any:
        model[1].eval()
        return super().loss(model, batch)


def test_each_modules_own_mode_survives_an_evaluation() -> None:
    result = train(FrozenNorm, Stopping(NEVER, 9, every=2))
    assert result.state["1.num_batches_tracked"] == 0


def test_the_process_keeps_its_generators() -> None:
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)
    wanted = torch.rand(2).tolist(), random.random(), np.random.rand()
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)
    train(Small, Stopping(NEVER, 3))
    assert (torch.rand(2).tolist(), random.random(), np.random.rand()) == wanted


class DrawsInInit(Small):
    """Splits its data by chance, without a seed."""

    def __init__(self) -> None:
        super().__init__()
        kept = torch.randperm(80)[:60]
        self.x[60:], self.y[60:] = self.x[kept][:20], self.y[kept][:20]


def test_a_constructor_that_draws_depends_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = train(DrawsInInit, Stopping(NEVER, 6))
    torch.manual_seed(2)
    assert train(DrawsInInit, Stopping(NEVER, 6)).trace.tolist() == first.trace.tolist()


@pytest.mark.parametrize("accumulate", [1, 2])
def test_epochs(accumulate: int) -> None:
    stopping = Stopping(NEVER, 100, max_epochs=2)
    result = train(Small, stopping, optimizer={**SGD, "accumulate": accumulate})
    made = 10 if accumulate == 1 else 6  # five batches: two, two and one
    assert (result.status, result.updates, result.epochs) == (Status.MAX_EPOCHS, made, 2)


def test_a_new_epoch_begins_until_the_updates_are_made() -> None:
    result = train(Small, Stopping(NEVER, 12))
    assert (result.status, result.updates, result.epochs) == (Status.MAX_ITERATIONS, 12, 3)


class Named(Small):
    """Returns what a test wants of an evaluation."""

    found: ClassVar[Any] = {}

    def evaluate(self, model: Any) -> Any:
        return self.found


def named(found: Any) -> Any:
    made = Named()
    made.found = found
    return made


def test_kinds_of_numbers() -> None:
    given = {
        "tensor": torch.tensor(0.5, requires_grad=True),
        "numpy": np.float32(0.5),
        "bool": True,
        "integer": 2,
        "array": np.array([1.5]),
        "nan": float("nan"),
    }
    result = train(lambda: named(given), Stopping(NEVER, 1))
    last = {name: result.last(name) for name in given if name != "nan"}
    assert last == {"tensor": 0.5, "numpy": 0.5, "bool": 1.0, "integer": 2.0, "array": 1.5}
    assert np.isnan(result.last("nan"))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"curve": [1.0, 2.0]}, "the metric 'curve' must be a number"),
        ({"curve": torch.ones(2)}, r"an array of shape \(2,\)"),
        ({"word": "high"}, "the metric 'word' must be a number"),
        ({"loss": 1.0}, "name it val_loss"),
        ({3: 1.0}, "name must be a text"),
        ([1.0], "must return a dictionary of metrics"),
        (None, "must return a dictionary of metrics"),
    ],
)
def test_metrics_that_are_no_numbers_are_refused_by_name(found: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        train(lambda: named(found), Stopping(NEVER, 1))


def test_a_misspelt_metric_names_those_seen() -> None:
    stopping = Stopping(0.9, 5, absolute=True, metric="acuracy", mode="max")
    with pytest.raises(BadInput, match=r"stopping\.metric=acuracy: did you mean accuracy"):
        train(Small, stopping)


class Sometimes(Small):
    """Returns one of its metrics at every second evaluation, and never a number first."""

    values = (float("nan"), 3.0, float("nan"), 2.0)

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def evaluate(self, model: Any) -> dict[str, Any]:
        value = self.values[self.count % 4]
        self.count += 1
        return {"odd": value} | ({"rare": 1.0} if self.count % 2 == 0 else {})


@pytest.mark.parametrize(("mode", "best"), [("min", 2.0), ("max", 3.0)])
def test_a_reading_that_is_no_number_is_never_best_and_meets_nothing(
    mode: str, best: float
) -> None:
    threshold = {"min": 1.0, "max": 9.0}[mode]
    stopping = Stopping(threshold, 3, absolute=True, metric="odd", mode=mode, every=1)
    result = train(Sometimes, stopping)
    assert result.status is Status.MAX_ITERATIONS
    assert result.best("odd") == best
    assert result.readings["rare"][:, 0].tolist() == [1, 3]


class Diverges(Small):
    """Its loss is infinite at the sixth batch."""

    count = 0

    def loss(self, model: Any, batch: Any) -> Any:
        self.count += 1
        return super().loss(model, batch) * (float("inf") if self.count == 6 else 1.0)


def test_an_infinite_loss_ends_it_before_the_update() -> None:
    result, before = train(Diverges, Stopping(NEVER, 20)), train(Small, Stopping(NEVER, 5))
    assert (result.status, result.updates) == (Status.DIVERGED, 5)
    assert torch.equal(result.final, before.final)


class NoBatches(Small):
    """Has no data left."""

    def batches(self, generator: Any) -> Any:
        return []


class ChangesWeights(Small):
    """Changes the weights in an evaluation."""

    def evaluate(self, model: Any) -> dict[str, Any]:
        model[0].weight.add_(1.0)
        return {}


class OwnOrder(Small):
    """Its order comes from where a test says."""

    def __init__(self, order: Callable[[], Any]) -> None:
        super().__init__()
        self.order = order

    def batches(self, generator: Any) -> Any:
        rows = self.order()
        yield self.x[rows], self.y[rows]


class OwnLoader(Small):
    """Its loader is given the generator, but not what shuffles."""

    def __init__(self, shuffles: bool = True) -> None:
        super().__init__()
        self.shuffles = shuffles

    def batches(self, generator: Any) -> Any:
        data = TensorDataset(self.x, self.y)
        rows = RandomSampler(data) if self.shuffles else SequentialSampler(data)
        return DataLoader(data, 16, sampler=rows, generator=generator)


class NoModule(Small):
    """Returns a function."""

    def model(self) -> Any:
        return lambda x: x


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (NoBatches, "its batches returned none for epoch 1"),
        (ChangesWeights, "its evaluate changes the weights"),
        (NoModule, "must return an nn.Module, not function"),
    ],
)
def test_trainings_that_cannot_be_used(make: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        train(make, Stopping(NEVER, 2))


ORDERS: dict[str, Callable[[], Any]] = {
    "torch": lambda: torch.randperm(80),
    "numpy": lambda: np.random.permutation(80),
    "Python": lambda: random.sample(range(80), 80),
    "system": lambda: random.SystemRandom().sample(range(80), 80),
}


class OneEpoch(Small):
    """Has batches once."""

    made = False

    def batches(self, generator: Any) -> Any:
        made, self.made = self.made, True
        return [] if made else super().batches(generator)


def test_a_later_epoch_without_batches_ends_the_training_with_its_number() -> None:
    with pytest.raises(GdexpError, match="returned none for epoch 2") as ended:
        train(OneEpoch, Stopping(NEVER, 20))
    assert ended.value.exit_status == 1


class KeptBatches(list[Any]):
    """Stands for a loader that is kept, and goes on with its workers at each call."""

    persistent_workers = True


class KeptLoader(Small):
    """Its batches differ from call to call."""

    def batches(self, generator: Any) -> Any:
        self.y = self.y.roll(1)
        return KeptBatches([(self.x, self.y)])


def test_a_loader_that_is_kept_is_refused_with_what_to_do() -> None:
    with pytest.raises(BadInput, match="persistent_workers must be made in each call"):
        train(KeptLoader, Stopping(NEVER, 2), rehearses=True)


@pytest.mark.parametrize("name", [*ORDERS, "sampler"])
def test_an_order_that_ignores_the_generator_is_refused(name: str) -> None:
    make = OwnLoader if name == "sampler" else partial(OwnOrder, ORDERS[name])
    own = "two calls with equal random generators" if name == "system" else "of the process alone"
    with pytest.raises(BadInput, match=rf"its first batch .*{own}; any order must come from"):
        train(make, Stopping(NEVER, 2), rehearses=True)


@pytest.mark.parametrize(
    "make", [Small, lambda: OwnOrder(lambda: slice(80)), lambda: OwnLoader(shuffles=False)]
)
def test_the_check_of_the_order_changes_nothing(make: Any) -> None:
    # Small adds noise from all generators of the process to batches in the given order.
    whole, checked = (train(make, Stopping(NEVER, 9), rehearses=each) for each in (False, True))
    assert checked.trace.tobytes() == whole.trace.tobytes()
    assert checked.digests == whole.digests


def test_the_best_state_gives_the_best_value_again() -> None:
    stopping = Stopping(1.1, 30, absolute=True, metric="accuracy", mode="max", every=3)
    result = train(Small, stopping, kept=Kept(model="best"))
    assert result.best_state is not None
    made = Small()
    model = made.model()
    model.load_state_dict(dict(result.best_state))
    assert float(made.evaluate(model.eval())["accuracy"]) == result.best("accuracy")


def test_a_batch_goes_to_the_dtype_and_keeps_its_form() -> None:
    made = Training.to
    training = Small()
    training.dtype = torch.float64
    whole = {"x": torch.ones(2), "y": [torch.ones(1, dtype=torch.int64), "name"], "z": (1, None)}
    moved = made(training, whole)
    assert moved["x"].dtype is torch.float64
    assert moved["y"][0].dtype is torch.int64
    assert (moved["y"][1], moved["z"]) == ("name", (1, None))


def test_double_precision() -> None:
    result = train(Small, Stopping(NEVER, 4, every=9), dtype=torch.float64, optimizer=SGD)
    assert result.final.dtype is torch.float64
