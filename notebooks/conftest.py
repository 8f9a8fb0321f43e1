"""What nbval doesn't compare: a library's log lines must not make a notebook false."""


def pytest_collectstart(collector):
    """Leave stderr out of the comparison of checked cells."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)
