"""From recordings to producers' bytes."""
