//! The program `socketing`: all services in one process or each alone, and the tools of operators.
//!
//! Each command is a file in [`commands`]; what several need is beside it. Commands that ask a running system do so over
//! its HTTP API like anybody else; `verify` and `events` read the log itself.

mod client;
mod commands;
mod demo;
mod failure;
mod limits;
mod operator;
mod output;
mod rush;
mod serve;
mod system;
mod verify;

use clap::Parser as _;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = commands::Cli::parse();
    limits::raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let exit = match runtime {
        Ok(runtime) => runtime.block_on(cli.run()),
        Err(error) => Err(anyhow::Error::new(error).context("starting the runtime")),
    };
    exit.unwrap_or_else(|error| failure::report(&error)).into()
}
