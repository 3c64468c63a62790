//! How a rush shows that it goes on: bars on a terminal, a line now and then elsewhere.

use crate::output::Output;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Without a terminal, one line in so long.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// One phase, and how far it is.
pub(crate) struct Phase {
    name: &'static str,
    total: u64,
    done: AtomicU64,
    bar: Option<ProgressBar>,
    output: Output,
    told: Mutex<Instant>,
}

impl Phase {
    /// Begins a phase of so many things.
    pub(crate) fn begin(output: Output, name: &'static str, total: u64) -> Phase {
        let bar = output.draws().then(|| {
            let style = ProgressStyle::with_template("{prefix:>18} {wide_bar:.cyan/dim} {pos:>6}/{len} {elapsed:>4} {msg}");
            ProgressBar::new(total).with_prefix(name).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Phase { name, total, done: AtomicU64::new(0), bar, output, told: Mutex::new(Instant::now()) }
    }

    /// One more is done.
    pub(crate) fn one(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.say("");
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// It has come so far.
    pub(crate) fn at(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.say("");
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
    }

    /// Says how things stand.
    pub(crate) fn say(&self, message: &str) {
        if let Some(bar) = &self.bar {
            if !message.is_empty() {
                bar.set_message(message.to_owned());
            }
            return;
        }
        let Ok(mut told) = self.told.try_lock() else { return };
        if told.elapsed() >= LINE_EVERY {
            *told = Instant::now();
            self.output.note(format!("{}: {} of {} {message}", self.name, self.done.load(Ordering::Relaxed), self.total).trim_end());
        }
    }

    /// The phase is over.
    pub(crate) fn end(self, summary: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.output.note(&format!("{}: {summary}", self.name));
    }
}
