"""The battery of event-study tests: pure functions of an `EventSample`, by name in `registry`."""
