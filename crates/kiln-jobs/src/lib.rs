//! The job kinds: semantic validation, state machines, and recovery after a crash. No sockets, no processes.
