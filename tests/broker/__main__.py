"""`python -m tests.broker fetch | start [--port N] [--data DIR]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.broker import registry
from tests.broker.artifacts import BrokerMissing, fetch
from tests.broker.process import Broker


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.broker", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("fetch", help="download Apache Kafka's jars once")
    start = verbs.add_parser("start", help="run a broker until Ctrl-C")
    start.add_argument("--port", type=int, default=9092)
    start.add_argument("--data", type=Path, default=None, help="keep the logs here (default: a temporary folder)")
    arguments = parser.parse_args()
    try:
        found = fetch()
    except BrokerMissing as error:
        print(f"no Kafka broker for the tests: {error}", file=sys.stderr)
        return 1
    if arguments.verb == "fetch":
        registry.fetch()
        print(f"Kafka is in {found.home}")
        return 0
    with tempfile.TemporaryDirectory(prefix="streamrnn-broker-") as folder:
        broker = Broker(arguments.data or Path(folder), port=arguments.port)
        broker.start()
        print(f"Kafka listens on {broker.bootstrap}, its log is {broker.log}; Ctrl-C stops it", flush=True)
        try:
            broker.wait()
        except KeyboardInterrupt:
            pass
        finally:
            broker.stop()
    return 0


sys.exit(main())
