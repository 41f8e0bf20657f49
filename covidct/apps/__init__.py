"""The surfaces: where people and machines meet the core."""
