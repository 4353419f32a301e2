"""From architectures to networks."""
