//! AWS shapes generated from the service model, constraint validation, and parsed names such as ARNs. No I/O.
