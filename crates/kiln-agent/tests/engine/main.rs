//! The engine runtime against a real container engine.
//!
//! `KILN_TEST_DOCKER` names the engine's socket, as `tests/tools/docker-up.sh up`
//! prints it. Without it these tests say so and do nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod cluster;
mod failures;
mod lifetime;
mod limits;
mod network;
mod output;
mod rig;
mod start;
