//! Optimizations whose store and control plane are doubles, as far as they come without
//! a container.
