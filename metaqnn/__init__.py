"""metaqnn designs neural networks for your data by reinforcement learning."""

__version__ = "0.1.0"
