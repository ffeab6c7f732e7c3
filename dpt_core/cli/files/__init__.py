"""Image and video files in, result files out; nothing here knows a model."""
