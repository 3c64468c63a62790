//! Logs: one JSON object a line on stderr, or text on a terminal.

use crate::config::LogArgs;
use clap::ValueEnum;
use std::any::Any;
use std::io::{IsTerminal, stderr};
use tracing_subscriber::{
    filter::{ParseError, Targets},
    fmt,
    layer::SubscriberExt,
    registry,
    util::SubscriberInitExt,
};

/// How logs are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Why logging can't begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter can't be read.
    #[error("the log filter {filter:?} can't be read")]
    Filter {
        /// What was given.
        filter: String,
        /// Why.
        #[source]
        source: ParseError,
    },
    /// Logging was set up before.
    #[error("logging is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Begins logging, panics included.
///
/// # Errors
/// A filter that can't be read, or a second call.
pub fn init(args: &LogArgs) -> Result<(), TelemetryError> {
    let filter: Targets = args.log.parse().map_err(|source| TelemetryError::Filter { filter: args.log.clone(), source })?;
    let json = match args.log_format {
        LogFormat::Auto => !stderr().is_terminal(),
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    let lines = fmt::layer().with_writer(stderr);
    if json {
        registry().with(filter).with(lines.json().flatten_event(true).with_span_list(false)).try_init()?;
    } else {
        registry().with(filter).with(lines.with_ansi(stderr().is_terminal())).try_init()?;
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// A panic as one line of the log, where the default hook would write several that are no JSON.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
    tracing::error!(place, "panic: {}", panic_text(panic.payload()));
}

/// What a panic says.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message")
}
