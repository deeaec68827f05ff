"""The database servers of the laboratory, from Debian's packages, with made up rows."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.files import write
from lab.keys import DATABASE_USER
from lab.programs import Machine, Ready, do, listens


def postgresql(machine: Machine) -> Ready:
    """A cluster with one base of made up rows, and an account that may look at sizes only."""
    bin_dir = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    data = Path("/var/lib/postgresql/labo")
    data.mkdir(parents=True, mode=0o700)
    sockets = Path("/run/postgresql")
    sockets.mkdir(mode=0o755)
    archives = Path("/var/lib/postgresql/archives")
    archives.mkdir()
    for folder in (data, sockets, archives):
        shutil.chown(folder, "postgres", "postgres")
    do([str(bin_dir / "initdb"), "-D", str(data), "-A", "peer", "--no-sync", "-E", "UTF8"], "postgres")
    rules = "local all all peer\nhost all all 10.71.0.0/16 scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"
    write(str(data / "pg_hba.conf"), rules, 0o600, "postgres")
    orders = f"""
        CREATE ROLE {DATABASE_USER} LOGIN PASSWORD '{machine.keys.database}';
        GRANT pg_monitor TO {DATABASE_USER};
        CREATE DATABASE usagers;
    """
    rows = "CREATE TABLE passage AS SELECT n AS numero, now() AS le FROM generate_series(1, 2000) AS n;\n"
    single = [str(bin_dir / "postgres"), "--single", "-j", "-F", "-D", str(data)]
    do([*single, "postgres"], "postgres", ";\n\n".join(part.strip() for part in orders.split(";")))
    do([*single, "usagers"], "postgres", rows)
    options = {
        "listen_addresses": "*",
        "unix_socket_directories": str(sockets),
        "shared_buffers": "16MB",
        "authentication_timeout": "60s",
        "fsync": "off",
        "archive_mode": "on",
        "archive_command": f"cp %p {archives}/%f",
        "archive_timeout": "60s",
    }
    words = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
    machine.start("postgresql", [str(bin_dir / "postgres"), "-D", str(data), *words], "postgres")
    return lambda: (sockets / ".s.PGSQL.5432.lock").exists() and listens(5432)


def mariadb(machine: Machine) -> Ready:
    """A server with one base of made up rows."""
    data, run = Path("/var/lib/mysql/labo"), Path("/run/mysqld")
    for folder in (data, run):
        folder.mkdir(parents=True)
        shutil.chown(folder, "mysql", "mysql")
    make = ["mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={data}", "--skip-test-db"]
    do(
        [
            *make,
            "--auth-root-authentication-method=socket",
            "--skip-name-resolve",
            "--innodb-log-file-size=8M",
        ]
    )
    orders = (
        "CREATE DATABASE IF NOT EXISTS paie;\n"
        "CREATE TABLE IF NOT EXISTS paie.bulletin (numero INT PRIMARY KEY, mois DATE);\n"
        "INSERT IGNORE INTO paie.bulletin SELECT seq, CURRENT_DATE FROM paie.seq_1_to_500;\n"
    )
    write("/etc/mysql/labo.sql", orders)
    options = ("--no-defaults", "--user=mysql", f"--datadir={data}", f"--socket={run}/mysqld.sock")
    small = (
        "--innodb-buffer-pool-size=16M",
        "--innodb-log-file-size=8M",
        "--performance-schema=OFF",
        "--log-bin=labo",
    )
    place = (
        "--port=3306",
        "--bind-address=0.0.0.0",
        "--skip-name-resolve",
        "--init-file=/etc/mysql/labo.sql",
    )
    machine.start("mariadb", ["mariadbd", *options, *small, *place])
    return lambda: listens(3306)
