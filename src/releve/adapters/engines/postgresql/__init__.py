"""PostgreSQL by streaming replication: one data set, two servers, one of them open."""

from releve.adapters.engines.postgresql.driver import Postgresql

__all__ = ["Postgresql"]
