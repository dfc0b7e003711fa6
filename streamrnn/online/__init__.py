"""What learns beside the network: scaling, readout, experts, intervals, anomaly scores."""
