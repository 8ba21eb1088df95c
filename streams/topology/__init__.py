"""Topology as people keep it: files that declare who depends on whom, and what the topics know of it."""
