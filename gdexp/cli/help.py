"""`--help`: examples first, then the commands and keys that matter; no heavy import."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

TEXT = """\
gdexp: how many gradient-descent iterations does a configuration need to reach
a threshold, and which learning rate is best?

Examples
  python -m gdexp                                one descent, the notebook's
  python -m gdexp optimizer.lr=4.5               with another learning rate
  python -m gdexp experiment=function            a network becomes the sine
  python -m gdexp 'problem.target=[[1,2],[3,4]]' optimizer.lr=0.5
  python -m gdexp +sweep                         the best learning rate
  python -m gdexp +sweep=fast                    hopeless trials ended early
  python -m gdexp +sweep stopping.threshold=1e-5 with the threshold fixed
  python -m gdexp -m optimizer.lr='interval(0.1,5)'
  python -m gdexp +compare                       the newest sweep or run
  python -m gdexp '+compare=[1a2b3c4d,5e6f7a8b]' these two runs
  python -m gdexp +rerun=1a2b3c4d                run it again and compare bits
  python -m gdexp +inspect problem=autograd      graph, gradient, check
  python -m gdexp.ui                             look at every run so far

Commands
  (none)     one descent, printed as it goes, recorded in MLflow
  +sweep     Optuna minimises the hitting time over sweep.space; the same
             command again continues
  +rerun     replays a tracked run: bit for bit the same, or what differs and
             why; a sweep's id for its best, rerun_all=true for all its trials
  +export    one folder of a run that +rerun=FOLDER takes on any machine
  +compare   what differs between tracked runs, hitting times, curves; as a
             report with pictures too
  +inspect   the autograd graph of the loss at x0, and a gradient check
  +benchmark update rules over the 24 functions of COCO's bbob suite, as one
             job that continues; benchmark.preview=true shows its time
  +delete    removes a run, or a sweep with its study, runs and files
  +problems  the problems there are, with what is known of each
  +certify   the worst case of a rule and schedule over a class of functions

Keys (KEY=VALUE; any key that `--cfg job` shows)
  problem, problem.x0, problem.target            what is minimised, from where
  optimizer, optimizer.lr                        the update rule
  stopping.threshold, stopping.max_iterations    when it ends
  seed, dtype, device                            float32 on cpu by default
  tracking.uri, tracking.experiment              where MLflow keeps the runs
  sweep.n_trials, sweep.sampler, sweep.cap, sweep.name, sweep.storage
  sweep.objective, sweep.metric, sweep.budget    what is best, within what
  sweep.pruner, stopping.patience                end trials early
  sweep.continue_to                              traces go on, for the table
  sweep.workers                                  processes that share a study
  output=json                                    one object, for programs

Choices (GROUP=NAME)
{groups}
Options
  --cfg job          show the composed config, run nothing
  --config-dir DIR   your own conf files, looked for before the shipped ones
  --hydra-help       all of Hydra's options; -sc for shell completion
  --version

Exit status: 0 done (also when a descent did not converge), 1 failed, 2 bad
input, 3 nothing to compare a rerun with, 4 a rerun differs, 74 storage
failed, 75 another process holds the study, 128+N ended by signal N.
GDEXP_DEBUG=1 adds the traceback to an error."""


def print_help(arguments: Sequence[str]) -> None:
    """Print the help with all choices, those of `--config-dir` included."""
    from gdexp.config import config_dirs, shipped

    print(TEXT.format(groups=_groups([shipped(), *config_dirs(arguments)])))


def _groups(folders: Sequence[Path]) -> str:
    choices: dict[str, set[str]] = {}
    for folder in folders:
        for path in sorted([*folder.glob("*/*.yaml"), *folder.glob("*/*/*.yaml")]):
            group = path.parent.relative_to(folder).as_posix()
            choices.setdefault(group, set()).add(path.stem)
    lines = []
    for group in ("problem", "optimizer", "optimizer/schedule", "experiment", "sweep"):
        names = sorted(choices.get(group, ()), key=lambda name: (name != "default", name))
        lines.append(_wrapped(f"  {group:<19}", names))
    return "".join(lines)


def _wrapped(head: str, words: Sequence[str], width: int = 79) -> str:
    text, line = "", head
    for word in words:
        if len(line) + 1 + len(word) > width:
            text += line + "\n"
            line = " " * len(head)
        line += word + " "
    return text + line.rstrip() + "\n"
