"""Tests; each room says what it needs in docs/explanation/architecture.md."""
