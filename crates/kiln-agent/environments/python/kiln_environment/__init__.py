"""What Kiln adds to a framework environment: its `train` command, a writable
place for packages that a job installs, and the built-in XGBoost algorithm."""
