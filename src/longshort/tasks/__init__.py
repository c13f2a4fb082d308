"""One application each: what goes in, the network, the loss, the metric, the baseline, what comes out."""
