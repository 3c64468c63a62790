//! The write side: HTTP commands, the executor that decides and commits them, the process managers that follow up.

pub mod accounts;
pub mod config;
pub mod executor;
pub mod http;
pub mod payments;
pub mod plans;
pub mod processes;
pub mod retention;
pub mod snapshots;
