"""Rows of the table of options: where figures are served, and to whom."""

__all__ = ["METRICS", "METRICS_LISTEN", "METRICS_TOKEN"]
