"""The search loop: ask, evaluate, tell, remember."""
