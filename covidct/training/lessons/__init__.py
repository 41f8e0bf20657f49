"""What the epochs of a training go through, and what a lesson of two questions costs."""
