"""Databases as their servers describe them.

Those of the plan are asked over their own protocol; those that were found, by the client program of their machine,
which alone reaches their socket.

Either way the session is read-only and bounded in time, and only sizes, counts and dates are asked.
"""

from releve.adapters.survey.databases.found import holding_bases
from releve.adapters.survey.databases.planned import data_set_bases

__all__ = ["data_set_bases", "holding_bases"]
