"""Throws mutated requests of every operation at DynamoDB on a server of its own, signed, over HTTP.

    python tools/fuzz_dynamodb.py [--seconds 60] [--seed N] [--case N]

A failure prints the seed, the case and the request. `--seed N --case M` runs that one alone, on a new server.
"""

import argparse
import os
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.fault.dynamodb_fuzz import Fuzzer  # noqa: E402
from tests.server import Server  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--case", type=int, default=None)
    given = parser.parse_args()
    seed = int.from_bytes(os.urandom(4)) if given.seed is None else given.seed
    with tempfile.TemporaryDirectory() as place:
        server = Server(Path(place) / "data", Path(place) / "log")
        server.start()
        try:
            fuzzer = Fuzzer(server, seed)
            end = time.monotonic() + given.seconds
            for number in count() if given.case is None else (given.case,):
                fuzzer.run(number)
                if time.monotonic() > end:
                    break
            fuzzer.check()
        except AssertionError as error:
            print(error)
            raise SystemExit(1) from None
        finally:
            server.kill()
    print(f"seed {seed}: {sum(fuzzer.statuses.values())} requests, {dict(fuzzer.statuses)}")


if __name__ == "__main__":
    main()
