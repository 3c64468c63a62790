//! How commands fail: an exit code, the chain of causes told once, and a hint that says what to do.

use std::fmt;
use std::process::ExitCode;

/// What the program's exit code says (also in `socketing --help`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// Done.
    Ok,
    /// It couldn't be done.
    Failure,
    /// The command line was wrong.
    Usage,
    /// An invariant is broken: the system did something it promises not to do.
    Broken,
    /// The system, its database or its broker can't be reached.
    Unreachable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Ok => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Broken => 3,
            Exit::Unreachable => 4,
        })
    }
}

/// An error with an exit code of its own, and with what the person can do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    exit: Exit,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    /// A failure without a known way out.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { message: message.into(), exit, hint: None, source: None }
    }

    /// Adds what the person can do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what caused it.
    pub(crate) fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Tells the error on standard error, its causes once each, then the hint; answers with the exit code.
pub(crate) fn report(error: &anyhow::Error) -> Exit {
    eprintln!("{} {}", console::style("error:").red().bold().for_stderr(), chain(error));
    let failure = error.chain().find_map(|cause| cause.downcast_ref::<Failure>());
    if let Some(hint) = failure.and_then(|failure| failure.hint.as_ref()) {
        eprintln!("{}  {hint}", console::style("hint:").cyan().bold().for_stderr());
    }
    failure.map_or(Exit::Failure, |failure| failure.exit)
}

/// The causes in one line. Some libraries repeat their cause in their own text; that is told once.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let part = cause.to_string();
        if text.is_empty() {
            text = part;
        } else if !text.ends_with(&part) {
            text = format!("{text}: {part}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_tells_each_cause_once() {
        let error = anyhow::anyhow!("connection refused").context("can't reach it: connection refused").context("asking for the time");
        assert_eq!(chain(&error), "asking for the time: can't reach it: connection refused");
    }

    #[test]
    fn a_failure_deep_in_the_chain_decides_the_exit_code() {
        let failure = Failure::new(Exit::Unreachable, "no answer").hint("start it");
        assert_eq!(report(&anyhow::Error::new(failure).context("loading the demo")), Exit::Unreachable);
        assert_eq!(report(&anyhow::anyhow!("something else")), Exit::Failure);
    }
}
