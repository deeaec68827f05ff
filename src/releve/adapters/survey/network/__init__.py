"""What lives on a network, as nmap sees it."""

from releve.adapters.survey.network.scan import scan

__all__ = ["scan"]
