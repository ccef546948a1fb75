"""Run the fuzz harnesses with atheris, one after the other: `python tests/fuzz/run.py [--seconds N] [NAME ...]`.

Prints one line for each: inputs tried, and crashes with the file that holds the input. Exit code 1 when there is one.
`make fuzz` runs this. What the harnesses demand is in `judges.py`; `test_fuzz_judges.py` tries every seed without atheris.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TRIED = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
EDGES = re.compile(r"cov: (\d+)")


def main() -> int:
    """Run what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="time for each harness")
    parser.add_argument(
        "--found", type=Path, default=Path(".make/fuzz"), help="folder for inputs: those that crash, and the corpus"
    )
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*")
    options, rest = parser.parse_known_args()
    if options.one:
        return fuzz(options.names[0], rest)
    names = options.names or sorted(path_of_judges())
    return max(report(name, options.seconds, options.found) for name in names)


def path_of_judges() -> list[str]:
    """Return the names of the harnesses without importing what atheris must import itself."""
    text = (HERE / "judges.py").read_text(encoding="utf-8")
    return re.findall(r'^    "([a-z]+)": judge_', text, re.MULTILINE)


def report(name: str, seconds: int, found: Path) -> int:
    """Fuzz one harness in a process of its own; print what came of it."""
    corpus, crashes = found / name, found / f"{name}-crash-"
    corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        words = write_seeds(name, Path(folder))
        command = [
            sys.executable,
            __file__,
            "--one",
            name,
            f"-max_total_time={seconds}",
            "-print_final_stats=1",
            "-timeout=10",
        ]
        command += [
            "-max_len=400",
            f"-dict={words}",
            f"-artifact_prefix={crashes}",
            str(corpus),
            str(Path(folder) / "seeds"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    tried, edges = TRIED.search(done.stderr), EDGES.findall(done.stderr)
    crash = done.returncode != 0
    print(
        f"{name}: {tried[1] if tried else '?'} inputs tried, coverage {edges[-1] if edges else '?'}, {int(crash)} crashes",
        flush=True,
    )
    if crash:
        print(done.stdout[-3000:], done.stderr[-3000:], sep="\n", flush=True)
    return int(crash)


def write_seeds(name: str, folder: Path) -> Path:
    """Write the seeds of `name` and a dictionary; return the dictionary's path."""
    sys.path.insert(0, str(HERE))
    from seeds import seeds, words

    (folder / "seeds").mkdir()
    for number, data in enumerate(seeds(name)):
        (folder / "seeds" / f"{number:03}").write_bytes(data)
    lines = ('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"' for word in words())
    (folder / "words").write_text("\n".join(lines) + "\n", encoding="ascii")
    return folder / "words"


def fuzz(name: str, options: list[str]) -> int:
    """Fuzz `name` in this process; ends it."""
    import atheris

    sys.path.insert(0, str(HERE))
    with atheris.instrument_imports(include=["nbgate", "judges"]):
        from judges import JUDGES
    atheris.Setup([sys.argv[0], *options], JUDGES[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
