"""Attributes a failed Azure VM backup to a documented cause, from a bundle of logs."""

__version__ = "0.1.0"
