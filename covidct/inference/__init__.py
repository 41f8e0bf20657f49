"""A bundle and slices -> results: session, gate, decision, classifier."""
