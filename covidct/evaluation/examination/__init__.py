"""What a model looks at and how steady it is: evidence maps, blackout, stability."""
