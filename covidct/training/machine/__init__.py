"""What learns, and how fast: several processes, and the precision that a processor has."""
