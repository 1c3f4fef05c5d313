"""Networks exchanged with other programs: ONNX and the published PyTorch weights."""
