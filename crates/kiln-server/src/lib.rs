//! The front door: SigV4, routing by service, one module per AWS service, error wire formats.
