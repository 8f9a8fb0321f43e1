"""Judgement: metrics with intervals, result files with provenance, comparison of reruns (the paper's 2)."""
