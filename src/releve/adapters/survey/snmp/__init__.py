"""What switches and other equipment count on their ports, as their SNMP agents say."""

from releve.adapters.survey.snmp.look import snmp

__all__ = ["snmp"]
