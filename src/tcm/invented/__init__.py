"""Invented cases and the text a tiny model reads, both written from the knowledge tables; no patient is behind them."""

from tcm.invented.cases import invent_cases
