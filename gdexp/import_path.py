"""The module search path of `python -m gdexp`, set before gdexp imports anything else.

Python puts the current directory first. A `random.py` or `yaml.py` of the user's own there would
then be imported by gdexp and its libraries in place of the real one. So the directory comes last;
it is first again while the user's own modules are imported.
"""

import sys


def set_working_directory_last() -> None:
    """Move the current directory to the end of `sys.path`, where `python -m gdexp` put it first."""
    if sys.argv[:1] != ["-m"] or sys.flags.safe_path:  # `-m` stands there while it looks for gdexp
        return
    words = sys.orig_argv
    at = next(i for i, word in enumerate(words) if word.startswith("-m"))
    module = words[at][2:] or words[at + 1]
    if module.partition(".")[0] == "gdexp":
        sys.path.append(sys.path.pop(0))
