"""What networks shall cost little of."""
