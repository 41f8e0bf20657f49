"""The model card and the checklists it answers."""
