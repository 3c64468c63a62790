//! The commands, one file each.

mod card_sandbox;
mod completions;
mod config;
mod demo;
mod draw;
mod events;
mod migrate;
mod openapi;
mod payments;
mod plan;
mod rush;
pub(crate) mod serve;
mod user;
mod verify;

use crate::failure::Exit;
use crate::output::{Format, Output};
use clap::{Parser, Subcommand};

const ABOUT: &str = "Socketing: sells numbered seats when everybody comes at once";
const EXAMPLES: &str = "\
Examples:
  socketing serve                                run everything in one process
  socketing plan import hall.json --check        say what is wrong with a seating plan
  socketing user create --role operator --email me@example.org
  socketing rush --fans 1000 --plan hall.json    a sale with a thousand fans
  socketing verify                               hold every copy against the log
  socketing payments --state in_doubt            what a provider hasn't answered
  socketing draw verify <performance>            work a draw out again from what is public
  socketing events cat performance <id>          what happened at a performance

A running system is found by flags, by the environment (SOCKETING_URL, SOCKETING_DATABASE_URL,
SOCKETING_NATS_URL), or by what ./dev up wrote down in this folder or one above.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 an invariant is broken, 4 something can't be reached";

/// The command line.
#[derive(Parser, Debug)]
#[command(name = "socketing", version, about = ABOUT, after_help = EXAMPLES, propagate_version = true)]
pub(crate) struct Cli {
    /// The answer's form.
    #[arg(short, long, global = true, value_enum, default_value_t, env = "SOCKETING_OUTPUT")]
    output: Format,
    /// Say nothing along the way.
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the services: all in one process, or each alone.
    Serve(Box<serve::ServeArgs>),
    /// Bring the database's schema up to date.
    Migrate(migrate::MigrateArgs),
    /// People's accounts.
    #[command(subcommand)]
    User(user::UserCommand),
    /// Seating plans.
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// Load the demo: people, a hall, a show on sale and one that opens soon. Harmless when it is there.
    Demo(demo::DemoArgs),
    /// A sale with many fans, over real connections, against the running system.
    Rush(Box<rush::RushArgs>),
    /// Hold everything against the log: seats, money, the line, outcomes, JetStream, read models.
    Verify(verify::VerifyArgs),
    /// A draw, worked out again from what is public alone.
    #[command(subcommand)]
    Draw(draw::DrawCommand),
    /// Payments and refunds whose outcome isn't known yet.
    Payments(payments::PaymentsArgs),
    /// A card provider to try with: charges no card, and fails in every way it is told to.
    CardSandbox(card_sandbox::CardSandboxArgs),
    /// Read the log.
    #[command(subcommand)]
    Events(events::EventsCommand),
    /// The services' configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Print the API's description (OpenAPI 3.1), of all services together.
    Openapi,
    /// Print a shell's completions.
    Completions(completions::CompletionsArgs),
}

impl Cli {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the command says; the exit code is in it, if it isn't 1.
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let output = Output::new(self.output, self.quiet);
        match self.command {
            Command::Serve(args) => serve::run(*args).await,
            Command::Migrate(args) => migrate::run(args, output).await,
            Command::User(command) => user::run(command, output).await,
            Command::Plan(command) => plan::run(command, output).await,
            Command::Demo(args) => demo::run(args, output).await,
            Command::Rush(args) => rush::run(*args, output).await,
            Command::Verify(args) => verify::run(args, output).await,
            Command::Draw(command) => draw::run(command, output).await,
            Command::Payments(args) => payments::run(args, output).await,
            Command::CardSandbox(args) => card_sandbox::run(args).await,
            Command::Events(command) => events::run(command, output).await,
            Command::Config(command) => config::run(command, output).await,
            Command::Openapi => openapi::run(),
            Command::Completions(args) => completions::run(&args),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
        }
    }
}
