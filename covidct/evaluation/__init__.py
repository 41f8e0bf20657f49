"""How good a model is: predictions, operating points, report. Free of torch."""
