"""`scripts/docs`: builds the documentation site and serves it on this machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from documentation.site import ROOT, BuildFailed, build, server


def main(arguments: list[str]) -> int:
    """Build the site and serve it until Ctrl-C; exit status 1 if it has a warning."""
    parser = argparse.ArgumentParser(prog="scripts/docs", description=__doc__)
    parser.add_argument("command", nargs="?", choices=("serve", "build"), default="serve")
    parser.add_argument("--port", type=int, default=8000, help="of the server (default 8000)")
    parser.add_argument("--to", type=Path, default=ROOT / "build" / "docs", help="folder to use")
    options = parser.parse_args(arguments)
    try:
        site = build(options.to)
    except BuildFailed as error:
        print(f"gdexp: error: {error}", file=sys.stderr)
        return 1
    print(f"built  {site}")
    if options.command == "build":
        return 0
    try:
        with server(site, options.port) as running:
            print(f"http://127.0.0.1:{running.server_port}/    Ctrl-C stops it", flush=True)
            running.serve_forever()
    except OSError as error:
        print(f"gdexp: error: port {options.port}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
