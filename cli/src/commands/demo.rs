//! `socketing demo`: loads the demo, on loopback only: everybody knows its passwords.

use crate::client::Api;
use crate::demo::{self, Demo};
use crate::failure::{Exit, Failure};
use crate::output::{Output, table};
use crate::system::{SystemArgs, is_loopback};
use clap::Args;

/// Where.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    system: SystemArgs,
}

/// Loads what is missing and prints the logins.
pub(crate) async fn run(args: DemoArgs, output: Output) -> anyhow::Result<Exit> {
    let system = args.system.find()?;
    let url = system.url()?;
    if !is_loopback(url) {
        let text = format!("{url} isn't on this machine's loopback, and the demo's passwords are known to everybody");
        return Err(Failure::new(Exit::Usage, text).hint("make accounts with `socketing user create` instead").into());
    }
    let demo = demo::load(&Api::new(url, 2)?, system.database_url()?).await?;
    output.answer(&demo, text)?;
    Ok(Exit::Ok)
}

fn text(demo: &Demo) -> String {
    let role =
        |login: &demo::Login| serde_json::to_value(login.role).ok().and_then(|role| role.as_str().map(str::to_owned)).unwrap_or_default();
    let logins = demo
        .logins
        .iter()
        .map(|login| vec![login.email.to_owned(), login.password.to_owned(), login.nickname.clone(), role(login), login.what.to_owned()]);
    let shows = demo.shows.iter().map(|show| {
        vec![show.title.clone(), show.sale_opens_at.as_str().unwrap_or_default().to_owned(), if show.new { "new" } else { "" }.to_owned()]
    });
    format!(
        "{}\n\n{}\n\n{}",
        demo.url,
        table(&["sign in as", "password", "nickname", "role", ""], 0..0, logins),
        table(&["show", "sale opens", ""], 0..0, shows)
    )
}
