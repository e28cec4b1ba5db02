"""What a hostile client sends, and the demo as it stands up to it."""
