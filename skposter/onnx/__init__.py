"""Exported models without TensorFlow: :func:`load_onnx`, which needs onnxruntime, Pillow and NumPy.

Nothing that is imported here imports scikit-learn, pandas or TensorFlow.
"""

from __future__ import annotations

from skposter.onnx._predictor import OnnxPredictor, load_onnx

__all__ = ["OnnxPredictor", "load_onnx"]
