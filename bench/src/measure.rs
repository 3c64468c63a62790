//! Counts and latencies of one run: a warm-up, then a window of steady state.

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Latencies above this are counted as this, in microseconds: a minute.
const LATENCY_MAX_US: u64 = 60_000_000;

/// What a run's figures are called and worth; names carry their units.
pub(crate) type Figures = Map<String, Value>;

/// When a run begins to count, and when it ends.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) from: Instant,
    pub(crate) until: Instant,
}

impl Window {
    /// Steady state of `seconds`, after a warm-up.
    pub(crate) fn after(warm_up: Duration, seconds: u64) -> Window {
        let from = Instant::now() + warm_up;
        Window { from, until: from + Duration::from_secs(seconds) }
    }

    pub(crate) fn over(&self) -> bool {
        Instant::now() >= self.until
    }
}

/// What happened within the window.
pub(crate) struct Measure {
    window: Window,
    accepted: AtomicU64,
    refused: AtomicU64,
    busy: AtomicU64,
    latencies: Mutex<Histogram<u64>>,
    /// Microseconds after the window's begin of the last answer.
    last_us: AtomicU64,
}

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Accepted,
    Refused,
    Busy,
}

impl Measure {
    pub(crate) fn new(window: Window) -> Measure {
        let latencies = Histogram::new_with_bounds(1, LATENCY_MAX_US, 3).expect("the bounds are valid");
        Measure {
            window,
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            latencies: Mutex::new(latencies),
            last_us: AtomicU64::new(0),
        }
    }

    pub(crate) const fn window(&self) -> Window {
        self.window
    }

    /// Takes in one answer that was asked for at `since`.
    pub(crate) fn ended(&self, ended: Ended, since: Instant) {
        let now = Instant::now();
        if now < self.window.from || now >= self.window.until {
            return;
        }
        self.last_us.fetch_max((now - self.window.from).as_micros() as u64, Ordering::Relaxed);
        match ended {
            Ended::Accepted => self.accepted.fetch_add(1, Ordering::Relaxed),
            Ended::Refused => self.refused.fetch_add(1, Ordering::Relaxed),
            Ended::Busy => self.busy.fetch_add(1, Ordering::Relaxed),
        };
        if ended == Ended::Accepted {
            let took_us = ((now - since).as_micros() as u64).clamp(1, LATENCY_MAX_US);
            self.latencies.lock().expect("nobody panics with it").saturating_record(took_us);
        }
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Fails unless hardly anything was refused, for a benchmark of refusals measures something else, and there was something
    /// to sell until the end.
    pub(crate) fn is_valid(&self) -> Result<()> {
        let (accepted, refused) = (self.accepted(), self.refused());
        ensure!(accepted > 0, "nothing was accepted");
        ensure!(refused * 1_000 < accepted, "{refused} of {} commands were refused", accepted + refused);
        ensure!(self.window.over(), "everything was sold out before the time was over: more --performances are needed");
        Ok(())
    }

    /// Seconds that the figures cover.
    pub(crate) fn seconds(&self) -> f64 {
        self.last_us.load(Ordering::Relaxed) as f64 / 1e6
    }

    /// Accepted, a second.
    pub(crate) fn per_s(&self) -> f64 {
        self.accepted() as f64 / self.seconds()
    }

    /// `per_s`, percentiles, and what was not accepted.
    pub(crate) fn figures(&self) -> Figures {
        let latencies = self.latencies.lock().expect("nobody panics with it");
        let ms = |quantile: f64| round(latencies.value_at_quantile(quantile) as f64 / 1e3);
        let mut figures = Figures::new();
        figures.insert("per_s".into(), json!(round(self.per_s())));
        figures.insert("p50_ms".into(), json!(ms(0.5)));
        figures.insert("p99_ms".into(), json!(ms(0.99)));
        figures.insert("p999_ms".into(), json!(ms(0.999)));
        figures.insert("seconds".into(), json!(round(self.seconds())));
        figures.insert("refused".into(), json!(self.refused()));
        figures.insert("busy".into(), json!(self.busy.load(Ordering::Relaxed)));
        figures
    }
}

/// Three decimals: more would pretend.
pub(crate) fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
