"""Every kind of slip on the command line: one line that helps, status 2, and nothing written."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdexp.cli.main import main
from gdexp.descent.status import Status
from gdexp.experiment.experiment import Experiment
from gdexp.tracking.record import RunHeader
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.support.commands import composed

NUMBERS = [
    ("optimizer.lr=-0.1", "optimizer.lr=-0.1: must be > 0"),
    ("optimizer.lr=0", "optimizer.lr=0: must be > 0"),
    ("optimizer.lr=-0.0", "optimizer.lr=-0.0: must be > 0"),
    ("optimizer.lr=1e-400", "must be > 0"),
    ("optimizer.lr=nan", "optimizer.lr=nan: must be a finite number"),
    ("optimizer.lr=-inf", "optimizer.lr=-inf: must be a finite number"),
    ("optimizer.lr=1e400", "optimizer.lr=inf: must be a finite number"),
    ("optimizer.lr=.nan", "must be a finite number"),
    ("optimizer.lr='nan'", "must be a finite number (YAML writes the float as .nan)"),
    ("optimizer.lr='-inf'", "(YAML writes the float as -.inf)"),
    ("optimizer.lr=abc", "optimizer.lr=abc: must be a number"),
    ("optimizer.lr=1/3", "must be a number"),
    ("optimizer.lr='1'", "must be a number"),
    ("optimizer.lr=", "optimizer.lr=: must be a number"),
    ("optimizer.lr=null", "must be a number; none was given"),
    ("optimizer.lr=true", "must be a number"),
    ("optimizer.lr=[1]", "optimizer.lr=[1]: must be a number"),
    ("optimizer.lr={a:1}", "must be a number"),
    ("optimizer=momentum optimizer.momentum=1", "must be at least 0 and below 1"),
    ("optimizer=adam optimizer.eps=-1", "optimizer.eps=-1: must be >= 0"),
    ("stopping.threshold=0", "stopping.threshold=0: must be > 0"),
    ("stopping.threshold=-1e-5", "must be > 0"),
    ("stopping.threshold=nan", "must be a finite number"),
    ("stopping.threshold=inf", "must be a finite number"),
    ("stopping.max_iterations=0", "must be an integer from 1"),
    ("stopping.max_iterations=-1", "must be an integer from 1"),
    ("stopping.max_iterations=10.5", "must be an integer from 1"),
    ("stopping.max_iterations=1e3", "must be an integer from 1 to 1000000000; write 1000"),
    ("stopping.cap=x", "stopping.cap=x: must be an integer from 0"),
    ("seed=-1", "integer from 0 to 2^63-1"),
    ("seed='7'", "integer from 0 to 2^63-1"),
    ("seed=1.5", "integer from 0 to 2^63-1"),
    ("seed=true", "integer from 0 to 2^63-1"),
    ("seed=9223372036854775808", "integer from 0 to 2^63-1"),
    ("seed=18446744073709551616", "integer from 0 to 2^63-1"),
]
POINTS = [
    ("problem.x0=[1,2,3]", "must have the target's shape (3, 3)"),
    ("problem.x0=1.0", "must have the target's shape (3, 3)"),
    ("problem.x0=[[1,2],[3,4]] problem.target=3", "x0=shape (2, 2): must have the target's shape"),
    ("problem.target=[[1,2],[3]]", "rows of equal length"),
    ("problem.target=[nan]", "finite numbers only"),
    ("problem.x0=[[1,2],[3,inf]]", "finite numbers only"),
    ("problem.target=[[a]]", "list of numbers"),
    ("problem.target=[true]", "list of numbers"),
    ("problem.target=[]", "at least one number"),
    ("problem.target=1e39", "must be within ±3.4e+38, the largest float32"),
    ("problem.x0=[70000.0] problem.target=[1.0] dtype=float16", "±6.55e+04, the largest float16"),
    ("problem.shift=[1,2]", "must be one number or a list of shape (3, 3)"),
    ("problem.rotation_seed=1.5", "must be an integer from 0"),
    ("problem=quadratic problem.dimension=0", "problem.dimension=0: must be an integer from 1"),
    ("problem=quadratic problem.mu=2", "problem.mu=2: must be at most L, which is 1"),
    ("problem=function problem.hidden=8", "must be a list of layer widths such as [16]"),
    ("experiment=notebook problem=quadratic", "problem.x0=(3, 3): must have shape (10,)"),
    ("dtype=int32", "choose from bfloat16, float16, float32, float64"),
    ("dtype=float46", "did you mean float64?"),
    ("dtype=null", "choose from"),
]
DEVICES = [
    ("device=gpu", "device=gpu: usable here: cpu"),
    ("device=cpu:3", "usable here: cpu"),
    ("device=CPU", "usable here: cpu"),
    ("device=meta", "usable here: cpu"),
    ("device=mps", "usable here: cpu"),
    ("device=cuda:99", "usable here: cpu"),
    ("device=null", "usable here: cpu"),
]
KEYS = [
    ("optimizer=SDG", "no such choice"),
    ("optimizer=momentun", "did you mean momentum?"),
    ("optimizer=[a]", "optimizer=[a]: must be a name; choose from adagrad"),
    ("optimizer=torch optimizer.class_name=SDG", "did you mean SGD?"),
    (
        "optimizer=torch optimizer.class_name=os.system",
        "must name a class like torch.optim.Optimizer",
    ),
    ("optimizer=torch optimizer.options={foo:1}", "optimizer.options.foo=1: torch.optim.SGD takes"),
    ("optimizer=torch optimizer.options={momentum:2}", "must be at least 0 and below 1"),
    ("problem=custom problem.path=math.sqrt problem.arguments=[1]", "must be a group of keyword"),
    ("problem=custom problem.path=math.sqrt problem.shape=[0]", "must be an integer from 1"),
    ("optimizer.name=adam", "follows from the choice; write optimizer=adam"),
    ("optimizer.schedule=cosine", "write optimizer/schedule=cosine"),
    ("optimizer/schedule=cosin", "did you mean cosine?"),
    ("problem=matrx", "did you mean matrix?"),
    ("problem=null", "must be a name; choose from"),
    ("problem=../../etc/passwd", "problem=../../etc/passwd: no such choice; choose from autograd"),
    ("problem.name=quadratic", "follows from the choice; write problem=quadratic"),
    ("problem.mu=0.1", "unknown key; it belongs to problem=quadratic"),
    ("optimizer.momentum=0.9", "it belongs to optimizer=momentum, optimizer=nesterov"),
    ("optimizer.lrr=1", "did you mean optimizer.lr?"),
    ("lr=1", "did you mean optimizer.lr?"),
    ("optimizer.LR=1", "did you mean optimizer.lr?"),
    ("stopping.foo=1", "choose from stopping.cap, stopping.every, stopping.max_epochs"),
    ("+optimizer.lrr=1", "did you mean lr?"),
    ("++optimizer.lrr=1", "did you mean lr?"),
    ("+problem.tarjet=1", "did you mean target?"),
    ("+stopping.treshold=1", "did you mean threshold?"),
    ("+tracking.url=x", "did you mean uri?"),
    ("~optimizer.lr", "cannot be removed"),
    ("~seed", "cannot be removed"),
    ("optimizer.lr=1,2", "add -m or +sweep"),
    ("optimizer.lr=1 optimizer.lr=2", "was given twice, first as 1"),
    ("optimizer.lr=1 ++optimizer.lr=2", "was given twice, first as 1"),
    ("+foo=1", "unknown key"),
    ("trust=[a]", "trust=[a]: is only read with +rerun=RUN_ID"),
    ("sweep.n_trials=3", "is a command's; write +sweep"),
    ("experiment=nope", "choose from autograd, digits, function"),
    ("+experiment=notebook", "is chosen already; write experiment=notebook"),
    ("seed=${nope}", "cannot be resolved"),
    ("seed=${oc.env:NO_SUCH_VARIABLE}", "Environment variable 'NO_SUCH_VARIABLE' not found"),
    ("optimizer.lr=${optimizer.lr}", "Recursive interpolation"),
    ("optimizer.lr=???", "Missing mandatory value"),
]
PLACES = [
    ("tracking.uri=mlflow.db", "sqlite:///FILE.db"),
    ("tracking.uri=ftp://somewhere", "sqlite:///FILE.db"),
    ("tracking.uri=file:///tmp/mlruns", "sqlite:///FILE.db"),
    ("tracking.uri=databricks", "sqlite:///FILE.db"),
    ("tracking.uri=5", "must be a text"),
    ("tracking.uri=sqlite:///no/such/folder/x.db", "does not exist"),
    ("tracking.uri=sqlite:///", "must name a file"),
    ("tracking.uri=sqlite:///:memory:", "must name a file"),
    ("tracking.uri=sqlite:////dev/null", "is no regular file"),
    (f"tracking.uri=sqlite:///{'n' * 230}.db", "has a name that is too long: at most 215 bytes"),
    (f"tracking.experiment={'n' * 256}", "is too long for the name of a folder"),
    (f"tracking.experiment='{'é' * 50}'", "is too long for the name of a folder"),
    ("tracking.uri=http://", "names no host"),
    ("tracking.uri=http://127.0.0.1:99999", "has a port that is not 0 … 65535"),
    ("tracking.experiment=''", "not empty"),
    ("tracking.children=best:0", "best:100"),
    ("tracking.children=best:x", "best:100"),
    ("tracking.children=some", "must be all, or best:N"),
    ("tracking.children=3", "must be all, or best:N"),
    ("tracking.experiment=..", "no folder's"),
    ("tracking.points=5", "must be all or a whole number >= 10"),
]
SWEEPS = [
    ("+sweep sweep.n_trials=0", "integer from 1"),
    ("+sweep sweep.n_trials=-3", "integer from 1"),
    ("+sweep sweep.n_trials=1e3", "write 1000"),
    ("+sweep sweep.sampler=tpee", "did you mean tpe?"),
    ("+sweep sweep.sampler={name:tpe,foo:1}", "sweep.sampler.foo=1: unknown option"),
    ("+sweep sweep.sampler={_target_:os.system}", "choose from optuna.samplers"),
    ("+sweep sweep.sampler=grid", "needs choice() or range()"),
    (
        "+sweep sweep.space.optimizer.lr=1",
        "sweep.space.optimizer.lr=1: is typed without sweep.space; write",
    ),
    ("+sweep sweep.objective=max", "choose from best, hitting_time, last"),
    ("+sweep=pareto stopping.threshold=1", "needs stopping.threshold in the space"),
    ("+sweep sweep.cap=0.5", "must be >= 1"),
    ("+sweep sweep.batch=0", "integer from 1"),
    ("+sweep sweep.timeout=-1", "must be > 0"),
    ("+sweep sweep.patience=0", "integer from 1"),
    ("+sweep sweep.preview=yes", "must be true or false"),
    ("+sweep sweep.seeds=2 seed=1,2", "must be 1 where seed itself is swept"),
    ("+sweep sweep.name=a/b", "letters, digits"),
    ("+sweep sweep.nam=a", "did you mean sweep.name?"),
    ("+sweep +sweep.nam=a", "did you mean name?"),
    ("+sweep sweep.storage=mlflow.db", "two files are needed"),
    ("+sweep sweep.storage=sqlite:///s.db", "sweep.storage=sqlite:///s.db: must be"),
    (f"+sweep sweep.storage={'n' * 200}", "has a name that is too long: at most 195 bytes"),
    (f"+sweep sweep.name={'n' * 101}", "at most 100"),
    ("+sweep sweep.storage=/etc/passwd", "is no Optuna journal file"),
    ("+sweep sweep.storage=.", "is a folder"),
    ("+sweep sweep.space=3", "must map keys to ranges"),
    ("+sweep sweep.space=[]", "sweep.space=[]: must be a group"),
    ("+sweep ++sweep.space.foo=1", "foo=1: unknown key"),
    ("+sweep ++sweep.space.optimizer.lr='interval(1'", "cannot be read; write interval(a, b)"),
    ("+sweep optimizer.lr=tag(lg,interval(0.1,1))", "has the tag lg; only log is one"),
    ("+sweep stopping.max_iterations=int(interval(1.9,3.9))", "int() would cut 1.9"),
    ("+sweep seed=9223372036854775807 sweep.seeds=2", "at most 9223372036854775806 with sweep"),
    ("+sweep sweep.sampler={name:tpe,gamma:3}", "gamma=3: takes a function"),
    ("+sweep optimizer.lr=interval(5,1)", "lower end must come first"),
    ("+sweep optimizer.lr=tag(log,interval(0,1))", "must start above 0"),
    ("+sweep optimizer.lr=interval(-1,1)", "must be > 0"),
    ("+sweep optimizer.lr=interval(0.1,inf)", "both ends must be finite numbers"),
    ("+sweep optimizer.lr=interval(a,1)", "cannot be read"),
    ("+sweep optimizer.lr=interval('1',2)", "a range is interval(a,b)"),
    ("+sweep optimizer.lr=uniform(1,2)", "a range is interval(a,b)"),
    ("+sweep optimizer.lr=glob(*)", "sweep.space.optimizer.lr=glob(*): write interval(a, b)"),
    ("+sweep optimizer.lr=range(1,5,0)", "must have a step that is not 0"),
    ("+sweep optimizer.lr=range(5,1)", "is empty"),
    ("+sweep optimizer.lr=1,nan", "sweep.space.optimizer.lr=nan: must be a finite number"),
    ("+sweep optimizer.lr=choice(1,a)", "optimizer.lr=a: must be a number"),
    ("+sweep stopping.max_iterations=interval(1,10)", "must be an integer: int(interval(1,10))"),
    ("+sweep seed=range(0,99999999999999999999)", "must stay within 2^63-1"),
    ("+sweep optimizer.lrr=interval(1,2)", "did you mean optimizer.lr?"),
    ("+sweep optimizer.name=gd,adam", "write optimizer=gd,adam"),
    ("+sweep foo.bar=interval(1,2)", "cannot be swept"),
    ("+sweep tracking.experiment=a,b", "cannot be swept"),
    ("+sweep dtype=float32,int8", "choose from"),
    ("+sweep device=cpu,cuda:99", "usable here: cpu"),
    ("+sweep stopping.threshold=1e-5 optimizer.lr=1", "is empty"),
    ("-m", "is empty"),
    ("-m optimizer=gd,adamm", "did you mean adam?"),
    ("-m problem=matrix,nix", "no such choice"),
    ("-m stopping=default,other", "cannot be swept whole"),
    ("-m tracking=default,other", "cannot be swept"),
    ("-m optimizer=interval(1,2)", "must be choice(…) of its files"),
]
COMMANDS = [
    ("+sweep=fsat", "no such choice"),
    ("+sweep=ray", "hydra/launcher=ray: is not installed; install gdexp[ray], in an environment"),
    ("+sweep hydra/launcher=joblib", "is not installed; install gdexp[local]"),
    ("+sweep=fast +sweep=pareto", "was given twice, first as fast"),
    ("+sweep +inspect", "one command at a time"),
    ("+rerun=", "must name tracked runs: +rerun=RUN_ID"),
    ("+rerun", "holds no runs yet; python -m gdexp makes one"),
    ("+rerun=abc optimizer.lr=2", "comes from the run itself"),
    ("+rerun=abc +trust=5", "is there already; write trust=5"),
    ("+rerun=./nowhere", "no such folder; python -m gdexp +export=RUN_ID writes one"),
    ("+compare=[a,,b]", "must name tracked runs"),
    ("+compare compare.thresholds=abc", "must be a list of 1 to 20 numbers"),
    ("+export=abc", "holds no runs yet"),
    ("+inspect optimizer.lr=-1", "must be > 0"),
    ("+benchmark benchmark.functions=[25]", "benchmark.functions=25: must be an integer from 1 to"),
    ("+benchmark benchmark.rules=[adm]", "benchmark.rules.name=adm: did you mean adam"),
    ("+benchmark benchmark.budgt=1", "benchmark.budgt"),
    ("+benchmark optimizer=adam", "is not read with +benchmark"),
    ("foo", "write KEY=VALUE"),
    ("=1", "write KEY=VALUE"),
    ("~", "write KEY=VALUE"),
    ("optimizer.lr==1", "write KEY=VALUE"),
    ("--confg-dir mine", "did you mean --config-dir?"),
    ("--sweep", "no such option; did you mean +sweep?"),
    ("sweep", "argument=sweep: a command begins with +; did you mean +sweep?"),
    ("+swep", "argument=+swep: no such command; did you mean +sweep?"),
    ("+sweeep=fast", "sweeep=fast: unknown key; did you mean +sweep?"),
    ("+sweeps", "argument=+sweeps: no such command; did you mean +sweep?"),
    ("+nothing", "argument=+nothing: no such command; choose from +sweep, +rerun"),
    ("comapre", "argument=comapre: no such command; did you mean +compare, or +compare=RUN_ID?"),
    (
        "optimizer.lr 4.5",
        "argument=optimizer.lr: is a key; write optimizer.lr=VALUE, without blanks",
    ),
    ("threshold = 1", "argument=threshold: is a key; write stopping.threshold=VALUE"),
    ("--json", "--json: no such option; write output=json"),
    ("--lr=0.1", "--lr=0.1: no such option; keys have no dashes; write optimizer.lr=0.1"),
    ("learning_rate=0.1", "unknown key; did you mean optimizer.lr?"),
    ("n_trials=20", "unknown key; did you mean +sweep sweep.n_trials?"),
    ("+sweep n_trials=20", "unknown key; did you mean sweep.n_trials?"),
    ("+sweep cap=1", "unknown key; did you mean stopping.cap or sweep.cap?"),
    ("colour=red", "unknown key; python -m gdexp --cfg job shows all keys"),
    ("ui", "argument=ui: no such command; scripts/ui shows the runs in MLflow"),
    ("--ui", "--ui: no such option; scripts/ui shows the runs in MLflow"),
    ("--optimizer.lr=2", "no such option; keys have no dashes; write optimizer.lr=2"),
    ("lr=0.1", "unknown key; did you mean optimizer.lr?"),
    ("optimiser=adam", "optimiser=adam: unknown key; did you mean optimizer?"),
    ("--config-dir nowhere", "not found"),
    ("--config-name foo", "Cannot find primary config 'foo'"),
    ("--cfg jobb", "did you mean job?"),
    ("hydra/sweeper=basic", "must be gdexp"),
    ("hydra.mode=RUN", "+sweep or -m sweeps"),
    ("seed=\x1b[31m\x07", "argument=seed=?[31m?: cannot be read"),
    ("seed='\u202e7'", "seed=?7: must be an integer"),
    ("+compare=\x1b]0;x", "holds no runs yet"),
]
ALL = [*NUMBERS, *POINTS, *DEVICES, *KEYS, *PLACES, *SWEEPS, *COMMANDS]


def refused(
    line: str, capsys: pytest.CaptureFixture[str], status: int = 2, silent: bool = True
) -> str:
    """The one line that a command ends with.

    Args:
        line: of the command, words apart by one space.
        capsys: takes what is said.
        status: that it ends with.
        silent: whether nothing was said before; a study is announced before it is looked at.
    """
    assert main(line.split(" ")) == status
    out, err = capsys.readouterr()
    assert not silent or out == ""
    assert err.startswith("gdexp: error: ")
    assert err.endswith("\n")
    assert err[:-1].isprintable()
    assert "Traceback" not in err
    return err.removeprefix("gdexp: error: ")


@pytest.mark.slow
@pytest.mark.parametrize(("line", "words"), ALL, ids=[ascii(line) for line, _ in ALL])
def test_bad_input_is_one_line_status_2_and_leaves_nothing(
    line: str, words: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refused(line, capsys)
    assert list(here.iterdir()) == []


OWN = """
import os
import sys

import torch

from gdexp import Problem, Schedule


def vector(x):
    return x * 2


def constant(x):
    return torch.tensor(1.0)


def detached(x):
    return (x * x).sum().detach()


def number(x):
    return (x * x).sum().item()


def whole(x):
    return (x * x).sum().long()


FOUR = 4


def apart(x):
    return torch.tensor(float(x.detach().numpy().sum()), requires_grad=True)


def adds(x):
    x += 1
    return (x * x).sum()


def greedy(x):
    return torch.zeros(10**14).sum() + x.sum()


def nothing(x):
    print("not seen")


def leaves(x):
    sys.exit(0)


def closes(x):
    raise GeneratorExit


def vanishes(x):
    os._exit(0)


def fails(x):
    raise ValueError("boom\\x1b[31m")


class Unmade(Problem):
    shape = (2,)

    def __init__(self):
        raise RuntimeError("no data")

    def loss(self, x):
        return x.sum()


class Lost(Problem):
    shape = (2,)

    def start(self, seed):
        raise RuntimeError("no start")

    def loss(self, x):
        return x.sum()


class Huge(Problem):
    shape = (100000, 100000000)

    def loss(self, x):
        return x.sum()


class Rate(Schedule):
    def rate(self, lr, iteration):
        if iteration > 2:
            raise GeneratorExit
        return lr

    def constant_from(self, iteration):
        return False


class Unmade_rate(Rate):
    def __init__(self):
        raise RuntimeError("no data")


class Whole(Problem):
    shape = (2,)

    def start(self, seed):
        return torch.ones(2, dtype=torch.int64)

    def loss(self, x):
        return x.sum()
"""

LOSSES = [
    ("vector", 2, "problem=bad_losses.vector: its loss must be a scalar, but has shape (2,)"),
    ("constant", 2, "problem=bad_losses.constant: "),
    ("detached", 2, "problem=bad_losses.detached: "),
    ("number", 2, "problem=bad_losses.number: its loss must return a tensor, not float"),
    ("whole", 2, "problem=bad_losses.whole: "),
    ("nothing", 2, "problem=bad_losses.nothing: its loss must return a tensor, not NoneType"),
    ("adds", 2, "problem=bad_losses.adds: its loss changes x in place; it must only read x: use"),
    ("greedy", 1, "problem=bad_losses.greedy: there is too little memory for it; make it smaller"),
    ("leaves", 1, "problem=bad_losses.leaves: its code failed: SystemExit: 0"),
    ("closes", 1, "problem=bad_losses.closes: its code failed: GeneratorExit: no message"),
    ("vanishes", 1, "problem=bad_losses.vanishes: its code failed: it called os._exit(0)"),
    ("fails", 1, "problem=bad_losses.fails: its code failed: ValueError: boom?[31m"),
    ("missing", 2, "problem.path=bad_losses.missing: bad_losses has no 'missing'"),
    ("apart", 2, "problem=bad_losses.apart: its loss does not depend on x (or was detached"),
    ("FOUR", 2, "or a function, not an int"),
    ("sys", 2, "must name a Problem, a subclass of it or a function, not a module"),
]
CLASSES = [
    ("Unmade", 1, "problem=bad_losses.Unmade: its code failed: RuntimeError: no data"),
    ("Lost", 1, "problem=bad_losses.Lost: its code failed: RuntimeError: no start"),
    ("Huge", 2, "problem.shape=[100000, 100000000]: 10,000,000,000,000 numbers take 40,000 GB in"),
    ("Whole", 2, "must be a tensor of a floating dtype: use .float()"),
]


@pytest.fixture
def losses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current directory, and a module of problems that cannot work elsewhere."""
    place, empty = tmp_path / "lib", tmp_path / "empty"
    place.mkdir()
    empty.mkdir()
    (place / "bad_losses.py").write_text(OWN)
    (place / "bad_import.py").write_text("raise OSError('no disk')\n")
    (place / "bad_end.py").write_text("import asyncio\n\nraise asyncio.CancelledError\n")
    (place / "bad_gone.py").write_text("from os import _exit\n\n_exit(0)\n")
    (place / "bad_exit.py").write_text("import sys\n\nsys.exit(3)\n")
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.chdir(empty)
    yield empty
    sys.modules.pop("bad_losses", None)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["", "+sweep "], ids=["run", "sweep"])
@pytest.mark.parametrize(("name", "status", "words"), LOSSES, ids=[name for name, *_ in LOSSES])
def test_a_loss_that_cannot_work_is_found_before_anything_is_written(
    losses: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    name: str,
    status: int,
    words: str,
) -> None:
    line = f"{command}problem=custom problem.path=bad_losses.{name} problem.shape=2"
    if name == "nothing":
        assert main(line.split(" ")) == status
        assert words in capsys.readouterr().err
    else:
        assert words in refused(line, capsys, status)
    assert list(losses.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "status", "words"), CLASSES, ids=[name for name, *_ in CLASSES])
def test_a_class_that_cannot_work_is_named(
    losses: Path, capsys: pytest.CaptureFixture[str], name: str, status: int, words: str
) -> None:
    assert words in refused(f"problem=custom problem.path=bad_losses.{name}", capsys, status)
    assert list(losses.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "words"), [("Rate", "GeneratorExit"), ("Unmade_rate", "Runtime")])
def test_a_schedule_that_fails_is_named_and_not_the_problem(
    losses: Path, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    path = f"bad_losses.{name}"
    line = ["optimizer/schedule=custom", f"optimizer.schedule.path={path}", "output=json"]
    assert main(line) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error.startswith(f"optimizer={path}: its code failed: {words}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nowhere.loss", "there is no module 'nowhere' to import"),
        ("bad_import.loss", "importing bad_import failed: OSError: no disk"),
        ("bad_exit.loss", "importing bad_exit failed: SystemExit: 3"),
        ("bad_gone.loss", "importing bad_gone failed: it called os._exit(0)"),
        ("bad_end.loss", "importing bad_end failed: CancelledError:"),
        ("bad_losses", "must be of the form package.module.attribute"),
        ("..", "must be of the form package.module.attribute"),
        ("null", "must name a loss or a problem"),
    ],
)
def test_a_path_that_names_no_problem_is_refused(
    losses: Path, capsys: pytest.CaptureFixture[str], path: str, words: str
) -> None:
    said = refused(f"problem=custom problem.shape=2 problem.path={path}", capsys)
    assert said.startswith(f"problem.path={path}: ")
    assert words in said
    assert list(losses.iterdir()) == []


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store and a study of two trials; a third run is still going."""
    folder = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        line = "+sweep sweep.name=kept sweep.n_trials=2 sweep.sampler=random"
        assert main(line.split(" ")) == 0
        Store(TrackingSettings()).start(RunHeader(name="going", kind="run"))
        assert main(["+rerun=zzzz"]) == 2  # settles the log of the store that is open here
        (folder / "text.db").write_text("no database\n")
        (folder / "alias.yaml").write_text("a: &a [x, x]\n")
        (folder / "results.json").write_text('{"best": 3}\n')
        (folder / "poetry.lock").write_text("[[package]]\n")
        (folder / "empty.txt").touch()
    return folder


def contents(folder: Path) -> dict[str, str]:
    """Every file with its digest; SQLite's own files beside an open database are left out."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith("mlflow.db-")
    }


SAME = "+sweep sweep.name=kept sweep.sampler=random sweep.n_trials=3"
BESIDE = [
    ("optimizer.lr=-1", "must be > 0"),
    ("optimizer.lrr=1", "did you mean"),
    ("problem=custom problem.path=math.nothing problem.shape=2", "has no 'nothing'"),
    ("device=cuda:99", "usable here"),
    ("+sweep optimizer.lr=interval(5,1)", "lower end must come first"),
    (f"{SAME} optimizer.lr=interval(1,2)", "sweep.name=kept: "),
    (f"{SAME} seed=3", "sweep.name=kept: "),
    (f"{SAME} sweep.objective=pareto", "sweep.name=kept: "),
    (f"{SAME} tracking.uri=sqlite:///other.db", "does not hold the runs of study kept"),
    ("+sweep sweep.storage=mlflow.db", "two files are needed"),
    ("+sweep sweep.storage=text.db", "is no Optuna journal file"),
    ("+sweep sweep.storage=results.json", "is no Optuna journal file; it is left as it is"),
    ("+sweep sweep.storage=empty.txt", "is no Optuna journal file"),
    ("+sweep sweep.storage=poetry", "needs the name poetry.lock for a lock"),
    ("tracking.uri=sqlite:///results.json", "is not an MLflow database; it is left as it is"),
    ("tracking.uri=sqlite:///empty.txt", "is an empty file that gdexp did not make"),
    ("tracking.uri=sqlite:///text.db", "is not an MLflow database"),
    ("tracking.uri=sqlite:///sweeps/kept/study.journal", "is not an MLflow database"),
    ("tracking.uri=sqlite:///sweeps", "is a folder"),
    ("+rerun=zzzz", "+rerun=zzzz: "),
    ("+rerun=no-such-run", "+rerun=no-such-run: "),
    ("+rerun=./sweeps", "holds no run of gdexp"),
    ("+compare=zzzz", "+compare=zzzz: "),
    ("+compare tracking.experiment=other", "other"),
    ("+export=zzzz", "+export=zzzz: "),
    ("+export export.folder=sweeps", "is there already and not empty"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("line", "words"), BESIDE, ids=[line for line, _ in BESIDE])
def test_bad_input_changes_no_byte_of_a_store_and_a_study_that_are_there(
    line: str,
    words: str,
    kept: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(kept)
    before = contents(kept)
    assert words in refused(line, capsys, silent=not line.startswith(SAME))
    assert contents(kept) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["optimizer.lr=1e6"], Status.DIVERGED),
        (["optimizer.lr=1e308"], Status.DIVERGED),
        (["problem.target=1e30", "problem.x0=0"], Status.DIVERGED),
        (["stopping.threshold=1e-16"], Status.STALLED),
        (["dtype=bfloat16"], Status.STALLED),
        (["problem.x0=[1,2,3]", "problem.target=[3,2,1]"], Status.CONVERGED),
    ],
)
def test_extreme_numbers_are_results_and_no_errors(lines: list[str], status: Status) -> None:
    experiment = Experiment.from_config(composed(*lines, "stopping.max_iterations=2000"))
    assert experiment.run().status is status


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["stopping.threshold=1e-16"], "dtype=float64 goes lower"),
        (["stopping.threshold=1e-60", "dtype=float64"], "float64 can be relied on to reach here"),
        (["dtype=bfloat16"], "dtype=float64 goes lower"),
        (["problem.target=1e300", "problem.x0=0", "dtype=float64"], "(about inf)"),
    ],
)
def test_a_threshold_that_the_numbers_cannot_reach_is_warned_of(
    lines: list[str], words: str
) -> None:
    warning = Experiment.from_config(composed(*lines)).threshold_warning()
    assert warning is not None
    assert warning.endswith(words) or words in warning
    assert ("goes lower" in warning) == ("dtype=float64" not in lines)


@pytest.mark.slow
def test_bad_input_is_told_without_colours_of_its_own_and_with_a_traceback_only_on_demand(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GDEXP_DEBUG", "1")
    assert main(["tracking.experiment='\x1b[31m'"]) == 2
    said = capsys.readouterr().err
    assert said.splitlines()[0] == (
        "gdexp: error: tracking.experiment=?[31m: must be one line, at most 500 characters"
    )
    assert "Traceback" in said
    assert "\x1b" not in said
    assert list(here.iterdir()) == []
