"""Feature matrices as a whole: extracted with frozen encoders, described, exported."""
