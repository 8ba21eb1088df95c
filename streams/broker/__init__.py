"""Brokers behind one small port: embedded, external."""
