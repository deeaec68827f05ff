"""File shares: captured into a vault as they change, and kept as a hot copy that follows the vault."""

from releve.adapters.engines.files.driver import Files

__all__ = ["Files"]
