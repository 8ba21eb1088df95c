"""Messages, topics and codecs: what travels on Kafka. Knows no stage."""
