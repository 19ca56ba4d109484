"""Figures: numbers in, plotly JSON out; pure, so that they can be tested without a browser."""
