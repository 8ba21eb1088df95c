"""The running service: Kafka, Faust, RocksDB, HTTP, files and the clock live here and nowhere else."""

__version__ = "0.1.0"
