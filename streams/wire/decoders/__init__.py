"""From producers' bytes to telemetry and evidence."""
