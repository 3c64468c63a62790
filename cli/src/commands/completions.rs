//! `socketing completions`: for bash, zsh, fish and others.

use super::Cli;
use crate::failure::Exit;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

/// Which shell.
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell, such as bash: `socketing completions bash > ~/.local/share/bash-completion/completions/socketing`.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints them.
pub(crate) fn run(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    clap_complete::generate(args.shell, &mut Cli::command(), "socketing", &mut std::io::stdout());
    Ok(Exit::Ok)
}
