"""Hand-made features beside the networks: what Table 3 compares VGG-16 with."""
