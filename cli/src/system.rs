//! Finds the running system: flags and the environment first, then what `./dev up` wrote down in this folder or one above.

use crate::failure::{Exit, Failure};
use anyhow::Context as _;
use clap::Args;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Where `./dev up` writes down what it started, below the project's folder.
const RUN_FILE: &str = ".data/run/socketing.json";

/// Which system a command talks to. What isn't given is read from `.data/run/socketing.json` in this folder or one
/// above, which `./dev up` writes.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SystemArgs {
    /// Address of the running system, such as `http://127.0.0.1:8600`.
    #[arg(long, env = "SOCKETING_URL", value_name = "URL")]
    url: Option<String>,
    /// Its PostgreSQL database. Without it, `DATABASE_URL` counts too.
    #[arg(long, env = "SOCKETING_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// Its NATS server. Without it, `NATS_URL` counts too.
    #[arg(long, env = "SOCKETING_NATS_URL", hide_env_values = true, value_name = "URL")]
    nats_url: Option<String>,
}

/// What the run file says.
#[derive(Deserialize, Clone, Debug, Default)]
struct RunFile {
    url: Option<String>,
    database_url: Option<String>,
    nats_url: Option<String>,
    card_url: Option<String>,
    card_key: Option<String>,
}

/// The system a command talks to, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct System {
    url: Option<String>,
    database_url: Option<String>,
    nats_url: Option<String>,
    card: Option<(String, String)>,
}

impl SystemArgs {
    /// Puts flags, environment and run file together.
    ///
    /// # Errors
    /// If there is a run file that can't be read.
    pub(crate) fn find(&self) -> anyhow::Result<System> {
        let here = std::env::current_dir().context("finding the current folder")?;
        let found = run_file(&here)?;
        Ok(self.with(found, &|name| std::env::var(name).ok().filter(|value| !value.is_empty())))
    }

    /// A URL that names another system than the run file's leaves the run file out: its database is not that system's.
    fn with(&self, run: Option<RunFile>, variable: &dyn Fn(&str) -> Option<String>) -> System {
        let run = run.filter(|run| self.url.as_deref().is_none_or(|url| run.url.as_deref().map(trim) == Some(trim(url))));
        let run = run.unwrap_or_default();
        System {
            url: self.url.clone().or(run.url).map(|url| trim(&url).to_owned()),
            database_url: self.database_url.clone().or_else(|| variable("DATABASE_URL")).or(run.database_url),
            nats_url: self.nats_url.clone().or_else(|| variable("NATS_URL")).or(run.nats_url),
            card: run.card_url.zip(run.card_key),
        }
    }
}

impl System {
    /// The address of its HTTP API, without a slash at the end.
    ///
    /// # Errors
    /// If nothing names it.
    pub(crate) fn url(&self) -> Result<&str, Failure> {
        self.url.as_deref().ok_or_else(|| unknown("the running system", "--url or SOCKETING_URL"))
    }

    /// The address of its database.
    ///
    /// # Errors
    /// If nothing names it.
    pub(crate) fn database_url(&self) -> Result<&str, Failure> {
        self.database_url.as_deref().ok_or_else(|| unknown("the system's database", "--database-url or SOCKETING_DATABASE_URL"))
    }

    /// The address of its card provider and the key it knows the system by, where the run file says.
    pub(crate) fn card(&self) -> Option<(String, String)> {
        self.card.clone()
    }

    /// The address of its NATS server.
    ///
    /// # Errors
    /// If nothing names it.
    pub(crate) fn nats_url(&self) -> Result<&str, Failure> {
        self.nats_url.as_deref().ok_or_else(|| unknown("the system's NATS server", "--nats-url or SOCKETING_NATS_URL"))
    }
}

fn unknown(what: &str, how: &str) -> Failure {
    Failure::new(Exit::Unreachable, format!("don't know where {what} is"))
        .hint(format!("run ./dev up in this folder (or one above), or name it with {how}"))
}

fn trim(url: &str) -> &str {
    url.trim_end_matches('/')
}

fn run_file(from: &Path) -> anyhow::Result<Option<RunFile>> {
    let candidates = from.ancestors().map(|folder| folder.join(RUN_FILE));
    let Some(path) = candidates.into_iter().find(|path: &PathBuf| path.is_file()) else { return Ok(None) };
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let run = serde_json::from_str(&text).with_context(|| format!("reading {}: it isn't what ./dev up writes", path.display()))?;
    Ok(Some(run))
}

/// Whether a URL names this machine only.
pub(crate) fn is_loopback(url: &str) -> bool {
    let Ok(url) = url.parse::<reqwest::Url>() else { return false };
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> RunFile {
        RunFile {
            url: Some("http://127.0.0.1:8600".into()),
            database_url: Some("postgres://here".into()),
            nats_url: Some("nats://here".into()),
            card_url: Some("http://cards".into()),
            card_key: Some("key".into()),
        }
    }

    #[test]
    fn the_run_file_fills_what_is_not_given() {
        let system = SystemArgs::default().with(Some(run()), &|_| None);
        assert_eq!(system.url().unwrap(), "http://127.0.0.1:8600");
        assert_eq!(system.database_url().unwrap(), "postgres://here");
        assert_eq!(system.card(), Some(("http://cards".into(), "key".into())));
        let args = SystemArgs { database_url: Some("postgres://there".into()), ..Default::default() };
        assert_eq!(args.with(Some(run()), &|_| None).database_url().unwrap(), "postgres://there");
        let system = SystemArgs::default().with(Some(run()), &|name| Some(format!("env {name}")));
        assert_eq!(system.nats_url().unwrap(), "env NATS_URL");
    }

    #[test]
    fn another_url_never_gets_this_system_s_database() {
        let args = SystemArgs { url: Some("http://10.0.0.1:80/".into()), ..Default::default() };
        let system = args.with(Some(run()), &|_| None);
        assert_eq!(system.url().unwrap(), "http://10.0.0.1:80");
        assert!(system.database_url().is_err() && system.card().is_none());
        let same = SystemArgs { url: Some("http://127.0.0.1:8600/".into()), ..Default::default() };
        assert!(same.with(Some(run()), &|_| None).database_url().is_ok());
    }

    #[test]
    fn the_run_file_is_found_in_a_folder_above() {
        let root = std::env::temp_dir().join(format!("socketing-system-{}", std::process::id()));
        std::fs::create_dir_all(root.join(".data/run")).unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::write(root.join(RUN_FILE), r#"{"url":"http://127.0.0.1:1","pid":7}"#).unwrap();
        let found = run_file(&root.join("a/b")).unwrap().unwrap();
        assert_eq!(found.url.as_deref(), Some("http://127.0.0.1:1"));
        std::fs::write(root.join(RUN_FILE), "junk").unwrap();
        assert!(run_file(&root).unwrap_err().to_string().contains("socketing.json"));
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn loopback_is_told_from_the_rest() {
        for url in ["http://127.0.0.1:8600", "http://localhost", "http://[::1]:80", "http://127.8.0.1"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["http://10.0.0.1", "http://localhost.example.org", "https://example.org", "nonsense"] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
