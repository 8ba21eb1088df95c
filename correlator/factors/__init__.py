"""The factors that score a hypothesis, one a file."""
