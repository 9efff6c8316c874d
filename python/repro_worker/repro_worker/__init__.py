"""The generic PyTorch worker of repro: it knows graphs, state and steps, and no model."""
