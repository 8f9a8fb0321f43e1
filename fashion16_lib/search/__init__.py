"""Codes: hyperplanes, Hamming distances, the library file and the search (the paper's 1.3 and 1.4)."""
