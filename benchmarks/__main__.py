"""Measures the speed of softgrad and its peers: `python -m benchmarks`.

Prints a table for each question: the time of softgrad with its quartiles; the share of the roofline it reaches (the
time in which a copy of the same run moves the bytes that must move); its time in units of its floors (`/ copy`); how
many times its time each peer takes; the goal, and whether it is met. Some questions have tables of their own. The pages
are written apart, from a file, which may be filled question by question:

    python -m benchmarks --json docs/performance.json
    python -m benchmarks --write

Whether a change made anything slower is another question, which two commits answer side by side:

    python -m benchmarks --compare main HEAD
"""

from __future__ import annotations

import argparse
import secrets
import time
from pathlib import Path

from benchmarks._machine import description, keep_to_two_cores, versions
from benchmarks._questions import COMPARED, NOT_QUICK, QUESTIONS, heading_and_notes, module

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "performance.json"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("question", nargs="*", help=f"all without it; {', '.join(QUESTIONS)}")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: whether it runs, not how fast")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="where the figures are written, beside those of other questions, or read by --write",
    )
    parser.add_argument("--seed", type=int, help="of the inputs; a new one without it")
    parser.add_argument(
        "--write",
        action="store_true",
        help="measure nothing; write docs/performance.md and the table of the READMEs from the figures in --json"
        f" ({RESULTS.relative_to(ROOT)} without it)",
    )
    parser.add_argument(
        "--compare",
        nargs=2,
        metavar=("A", "B"),
        help="time softgrad alone, as two commits have it: hashes, branches, tags, HEAD; what is not committed is not"
        f" seen; of {', '.join(COMPARED)}",
    )
    arguments = parser.parse_args()
    questions = QUESTIONS if arguments.compare is None else COMPARED
    for name in arguments.question:
        if name not in questions:
            parser.error(f"no question {name!r}; there are {', '.join(questions)}")
    if arguments.write and (arguments.question or arguments.quick or arguments.seed is not None or arguments.compare):
        parser.error("--write measures nothing: it takes --json and no other")
    if arguments.compare and arguments.json is not None:
        parser.error("--compare writes no figures: it takes no --json")
    return arguments


def _measure(questions: list[str], *, quick: bool, json: Path | None, seed: int) -> None:
    # They import NumPy, which must find the two cores.
    import numpy as np

    from benchmarks import _peers
    from benchmarks._harness import Bench
    from benchmarks._results import Report
    from benchmarks._tables import tables

    started = time.monotonic()
    peers, missing = _peers.load()
    machine = description()
    print("\n".join(f"{what}: {words}" for what, words in (machine | versions()).items()))
    print(f"seed: {seed}")
    if quick:
        print("quick: these sizes say nothing about the goals")
    if missing:
        print(f"not installed and left out: {', '.join(missing)}")
    report = Report(machine, versions(), missing, quick, {}, {})
    if json is not None and json.exists():
        before = Report.load(json)
        if not report.of_the_same(before):
            raise SystemExit(f"{json} holds figures of another machine, of other versions or sizes: name another file")
        report = before
    for question in questions:
        print(f"\n{heading_and_notes(question)[0]}\n", flush=True)
        rows = []
        for row in module(question).rows(Bench(quick, peers, np.random.default_rng(seed))):
            rows.append(row)
            report = report.with_answer(question, seed, rows)
            if json is not None:
                # After each, for a run that is cut off.
                report.save(json)
        print(tables(question, rows), end="", flush=True)
    print(f"\n{time.monotonic() - started:.0f} s")


def main() -> None:
    arguments = _arguments()
    if arguments.write:
        from benchmarks._performance_page import write

        write(arguments.json or RESULTS, ROOT)
        return
    keep_to_two_cores()
    seed = secrets.randbits(32) if arguments.seed is None else arguments.seed
    if arguments.compare is not None:
        from benchmarks._compare import compare
        from benchmarks._compare_builds import NotBuilt

        try:
            compare(ROOT, arguments.compare, arguments.question or COMPARED, seed, quick=arguments.quick)
        except NotBuilt as error:
            raise SystemExit(f"--compare: {error}") from None
        return
    all_of_them = [name for name in QUESTIONS if not (arguments.quick and name in NOT_QUICK)]
    _measure(arguments.question or all_of_them, quick=arguments.quick, json=arguments.json, seed=seed)


if __name__ == "__main__":
    main()
