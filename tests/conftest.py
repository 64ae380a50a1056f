"""Shared set-up: no test draws a picture on a screen or needs a home directory."""

from __future__ import annotations

import os

os.environ.setdefault("MPLBACKEND", "Agg")
