"""Training: data, recipe and the one training loop."""
