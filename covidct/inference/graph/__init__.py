"""What a graph may hold."""
