//! The write side: HTTP commands, the executor that decides and commits them, the process managers that follow up.

pub mod executor;
pub mod plans;
pub mod processes;
