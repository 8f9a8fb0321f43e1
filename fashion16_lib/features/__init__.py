"""Features beside the networks: hand-made ones, which Table 3 compares with VGG-16, and principal components."""
