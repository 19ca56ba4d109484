"""Activations of a PyTorch model of one's own, taken while it runs and written as plain files. Needs torch alone."""

from analysis.capture.capturing import Capture, capture
from analysis.capture.stored import Captured, read_capture

__all__ = ["Capture", "Captured", "capture", "read_capture"]
