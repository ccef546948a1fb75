"""Wiring: names the concrete classes of each process and handles nothing itself.

`python -m nbgate.app keeper ...` and `python -m nbgate.app worker ...` are started by the supervisor; each imports only
its own wing, so that a worker has no code for the store and the keeper none for TLS connections.
"""

import argparse
import sys

from nbgate.stderr import never_wait


def main(arguments: list[str] | None = None) -> int:
    """Be the process the supervisor asked for; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m nbgate.app", description="A child process of nbgate.")
    roles = parser.add_subparsers(dest="role", required=True)
    keeper = roles.add_parser("keeper")
    keeper.add_argument("--control-fd", type=int, required=True)
    keeper.add_argument("--source", required=True, help="where the configuration comes from, JSON")
    keeper.add_argument("--replaces", action="store_true", help="an earlier one of this gateway has ended")
    worker = roles.add_parser("worker")
    worker.add_argument("--control-fd", type=int, required=True)
    worker.add_argument("--listen-fds", required=True, help="inherited sockets, separated by commas")
    worker.add_argument("--http-port", type=int, default=0, help="those of them on which plain HTTP is spoken")
    worker.add_argument("--id", type=int, required=True, help="its place, for people who read the process list")
    options = parser.parse_args(arguments)
    if options.role == "keeper":
        from nbgate.keeper.process import Apps, run_keeper  # noqa: PLC0415 - each process imports its own wing only
        from nbgate.web.control import make_control_app  # noqa: PLC0415 - the same
        from nbgate.web.pages import make_pages_app  # noqa: PLC0415 - the same

        apps = Apps(make_pages_app, make_control_app)
        return run_keeper(options.control_fd, options.source, apps, replaces=options.replaces)
    from nbgate.edge.process import run_worker  # noqa: PLC0415 - the same

    return run_worker(options.control_fd, tuple(map(int, options.listen_fds.split(","))), options.http_port)


if __name__ == "__main__":
    never_wait()
    sys.exit(main())
