//! The data plane: the object-store client, channels, and archives. It knows nothing of job status.
