"""What goes over a wire: events in; forecasts, predictions, alerts and dead letters out."""
