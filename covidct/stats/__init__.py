"""Figures with intervals: metrics, bootstrap over patients, exact intervals."""
