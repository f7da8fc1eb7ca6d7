"""The built-in XGBoost algorithm: what the image does without a script."""
