"""OpenCV, or the system library it lacks, by name."""

from fashion16_lib.settings import Fashion16Error

PACKAGES = {"libGL": "libgl1", "libgthread": "libglib2.0-0", "libglib": "libglib2.0-0"}     # Debian's names


def explain(error: ImportError) -> str:
    """Return what is missing and how to get it. The headless OpenCV of our lock needs neither libGL nor GLib."""
    package = next((deb for library, deb in PACKAGES.items() if library in str(error)), None)
    remedy = f"apt-get install {package}, or " if package else ""
    return f"OpenCV can't be loaded ({error}); {remedy}pip install opencv-python-headless"


try:
    import cv2
except ImportError as error:
    raise Fashion16Error(explain(error)) from error

__all__ = ["cv2"]
