"""Gives the packages that a job installs a writable home of the job's own.

The environment is shared by all jobs and mounted read-only. Each interpreter
that starts in it therefore takes the job's private directory for its prefix:
`pip install` writes there, and never tries to replace what the environment
holds, while everything installed there is found first.
"""

import os
import site
import sys


def enable():
    """Takes `KILN_OVERLAY` for this interpreter's prefix, when it is set."""
    prefix = os.environ.get("KILN_OVERLAY")
    if not prefix:
        return
    sys.prefix = sys.exec_prefix = prefix
    packages = site.getsitepackages([prefix])[0]
    before = list(sys.path)
    if os.path.isdir(packages):
        site.addsitedir(packages)
    else:
        # A job's first `pip install` makes the directory while Python runs.
        sys.path.append(packages)
    added = [path for path in sys.path if path not in before]
    first = next((n for n, path in enumerate(before) if path.endswith("site-packages")), len(before))
    sys.path[:] = before[:first] + added + before[first:]
