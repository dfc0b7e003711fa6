"""From residuals to weight updates: losses, truncated back-propagation and forward gradients, optimizers, guards."""
