"""Collects survey responses: kiosk pages, device API, durable store, extracts."""

__version__ = "0.1.0"
