//! The command line from the outside: answers, JSON, error lines, exit codes. Needs a Vulkan, Metal or DX12 adapter.
#![cfg(not(target_arch = "wasm32"))]

mod cli;

mod answers;
mod export;
mod handoff;
mod hub;
mod pull;
mod train;
