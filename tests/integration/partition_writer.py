"""Writes without end to one server and notes what was acknowledged: `partition_writer.py ADDRESS PORT LOG SIDE`."""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

import psycopg


def main() -> None:
    """Connect, write, note; again whenever it fails."""
    address, port, log, side = sys.argv[1:5]
    count = itertools.count()
    with Path(log).open("a", buffering=1) as acks:
        while True:
            try:
                with psycopg.connect(
                    host=address,
                    port=int(port),
                    user="postgres",
                    dbname="dossiers",
                    password="mot de passe: 'administrateur'",
                    autocommit=True,
                    connect_timeout=2,
                    gssencmode="disable",
                ) as link:
                    noticed: list[str] = []
                    link.add_notice_handler(lambda notice, to=noticed: to.append(notice.severity or ""))
                    while not noticed:  # a warning at commit means: not known to be on the relief
                        value = f"{side}-{next(count)}-{time.monotonic_ns()}"
                        link.execute("INSERT INTO ecrits (valeur) VALUES (%s)", [value])
                        if not noticed:
                            acks.write(f"{time.monotonic()} {value}\n")
                        time.sleep(0.02)
            except psycopg.Error:
                time.sleep(0.1)


if __name__ == "__main__":
    main()
