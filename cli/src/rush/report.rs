//! What a rush says in the end.

use super::measure::{Counts, Times};
use super::settle::Settled;
use crate::output::{grouped, table};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The result of a rush.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) fans: usize,
    pub(crate) seats: usize,
    pub(crate) capacity: u32,
    pub(crate) performance: uuid::Uuid,
    /// Signing up, in seconds.
    pub(crate) sign_up_seconds: f64,
    /// The show, connections and friends, in seconds.
    pub(crate) connect_seconds: f64,
    /// From the opening until the last fan was done, in seconds.
    pub(crate) rush_seconds: f64,
    /// Fans with tickets.
    pub(crate) served: u64,
    /// Fans who were told why not, or had their own reason.
    pub(crate) told: u64,
    /// Fans who are neither.
    pub(crate) unfinished: u64,
    pub(crate) settled: Settled,
    pub(crate) times: Vec<Times>,
    pub(crate) counts: Counts,
}

/// The code of a fan with tickets.
pub(crate) const TICKETS: &str = "tickets";
/// The code of a fan for whom the rush ended too soon.
pub(crate) const UNFINISHED: &str = "unfinished";

impl Report {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let times = self.times.iter().map(|times| {
            let ms = |value: f64| if value < 10.0 { format!("{value:.1}") } else { grouped(value.round() as u64) };
            vec![times.step.told().to_owned(), grouped(times.count), ms(times.p50_ms), ms(times.p90_ms), ms(times.p99_ms), ms(times.max_ms)]
        });
        let _ = writeln!(text, "{}\n", table(&["step", "count", "p50 ms", "p90 ms", "p99 ms", "max ms"], 1..6, times));
        let _ = writeln!(text, "{}\n", counted("how fans ended", &self.counts.ends));
        if !self.counts.refusals.is_empty() {
            let _ = writeln!(text, "{}\n", counted("refusals", &self.counts.refusals));
        }
        self.figures(&mut text);
        self.verdict(&mut text);
        text
    }

    fn figures(&self, text: &mut String) {
        let Report { seed, fans, seats, capacity, settled, counts, .. } = self;
        let _ = writeln!(text, "{fans} fans, {seats} seats, {capacity} people inside at once, seed {seed}");
        let _ = writeln!(
            text,
            "sign-up {:.1} s, show and connections {:.1} s, rush {:.1} s",
            self.sign_up_seconds, self.connect_seconds, self.rush_seconds
        );
        let _ = writeln!(
            text,
            "{} requests without an answer, {} told to come later, {} reconnections",
            counts.unanswered, counts.later, counts.reconnections
        );
        let _ = writeln!(
            text,
            "at position {}: {} seats sold, {} of {fans} live maps equal, {} bookings as promised, {} wallets right",
            settled.position, settled.seats_sold, settled.maps_equal, settled.bookings_kept, settled.wallets_right
        );
    }

    fn verdict(&self, text: &mut String) {
        if self.counts.violations == 0 {
            let mark = console::style("ok").green().bold();
            let _ = writeln!(text, "\n{mark}: {} fans served, {} told why not, nothing broken", self.served, self.told);
            return;
        }
        let mark = console::style("broken").red().bold();
        let _ = writeln!(text, "\n{mark}: {} violations", self.counts.violations);
        for violation in &self.counts.violations_told {
            let _ = writeln!(text, "  {violation}");
        }
    }
}

fn counted(title: &str, counts: &BTreeMap<String, u64>) -> String {
    table(&[title, "count"], 1..2, counts.iter().map(|(code, count)| vec![code.clone(), grouped(*count)]))
}
