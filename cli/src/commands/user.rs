//! `socketing user create`: an account with a role, such as the first operator's.

use crate::client::{Api, Ask};
use crate::failure::{Exit, Failure};
use crate::operator;
use crate::output::Output;
use crate::system::SystemArgs;
use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use socketing_domain::account::Role;
use std::io::Read as _;

/// What can be done with accounts.
#[derive(Subcommand, Debug)]
pub(crate) enum UserCommand {
    /// Sign someone up, and give them a role.
    Create(CreateArgs),
}

/// Whom.
#[derive(Args, Debug)]
pub(crate) struct CreateArgs {
    /// What they may do.
    #[arg(long, value_enum)]
    role: RoleArg,
    /// Their e-mail address, to sign in with.
    #[arg(long)]
    email: String,
    /// What others see; without it, one is made up.
    #[arg(long)]
    nickname: Option<String>,
    /// Read the password from standard input instead of asking for it.
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    system: SystemArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleArg {
    Fan,
    Organiser,
    Operator,
}

/// Carries it out against the running system.
pub(crate) async fn run(command: UserCommand, output: Output) -> anyhow::Result<Exit> {
    let UserCommand::Create(args) = command;
    let system = args.system.find()?;
    let api = Api::new(system.url()?, 1)?;
    let role = args.role.into();
    // First, so that nobody is signed up who can't be given the role then.
    let token = match role {
        Role::Fan => None,
        Role::Organiser | Role::Operator => Some(operator::system_token(system.database_url()?).await?),
    };
    let mut body = json!({ "email": args.email, "password": password(&args)? });
    if let Some(nickname) = &args.nickname {
        body["nickname"] = nickname.as_str().into();
    }
    let made = api.call_patiently(Ask::post("/v1/accounts", &body)).await;
    let made = made.map_err(|error| error.failure(&api, &format!("signing {} up", args.email)))?.body;
    let account: uuid::Uuid = serde_json::from_value(made["account_id"].clone()).context("reading the new account's id")?;
    if let Some(token) = token {
        operator::grant(&api, &token, account, role).await?;
    }
    let answer = json!({ "account_id": account, "email": args.email, "nickname": made["nickname"], "role": role });
    output.answer(&answer, |answer: &Value| {
        format!(
            "{} {} ({}), {account}",
            answer["role"].as_str().unwrap_or_default(),
            args.email,
            made["nickname"].as_str().unwrap_or_default()
        )
    })?;
    Ok(Exit::Ok)
}

/// From standard input, or typed twice, unseen.
fn password(args: &CreateArgs) -> anyhow::Result<String> {
    if args.password_stdin {
        let mut password = String::new();
        std::io::stdin().take(4096).read_to_string(&mut password).context("reading the password from standard input")?;
        return Ok(password.trim_end_matches(['\r', '\n']).to_owned());
    }
    let terminal = console::Term::stderr();
    if !console::user_attended_stderr() {
        return Err(Failure::new(Exit::Usage, "there is no terminal to ask for the password on")
            .hint("pipe it in with --password-stdin")
            .into());
    }
    let ask = |text: &str| -> anyhow::Result<String> {
        terminal.write_str(text)?;
        Ok(terminal.read_secure_line()?)
    };
    let password = ask(&format!("password for {}: ", args.email))?;
    if ask("again: ")? != password {
        return Err(Failure::new(Exit::Usage, "the two passwords differ").into());
    }
    Ok(password)
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Role {
        match role {
            RoleArg::Fan => Role::Fan,
            RoleArg::Organiser => Role::Organiser,
            RoleArg::Operator => Role::Operator,
        }
    }
}
