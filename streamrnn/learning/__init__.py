"""From residuals to weight updates: losses, truncated back-propagation, optimizers, guards."""
