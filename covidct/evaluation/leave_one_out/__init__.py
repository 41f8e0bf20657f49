"""Figures, table and plot of models on sources left out of training."""
