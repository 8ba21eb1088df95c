"""A microservice system as a queueing model, with known faults. Knows neither detectors nor correlator."""
