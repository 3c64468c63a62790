//! What commands print: tables for people, JSON for programs. Colour only on a terminal, and never with `NO_COLOR`.

use anyhow::Context as _;
use clap::ValueEnum;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;
use std::io::Write as _;

/// The form of a command's answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs: one JSON document.
    Json,
}

/// Where a command's answer goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
    quiet: bool,
}

impl Output {
    /// Answers in this form; `quiet` leaves out what is only said along the way.
    pub(crate) fn new(format: Format, quiet: bool) -> Output {
        Output { format, quiet }
    }

    /// Whether the answer is for a program.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// The same, but for a program.
    pub(crate) fn as_json(self) -> Output {
        Output { format: Format::Json, ..self }
    }

    /// Prints the answer: the value as JSON, or what `text` makes of it for people.
    pub(crate) fn answer<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        match self.format {
            Format::Json => print(&serde_json::to_string_pretty(value)?),
            Format::Table => print(text(value).trim_end()),
        }
    }

    /// Says something along the way, on standard error, so that it never mixes with the answer.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }

    /// Whether progress bars may be drawn: a terminal, and nobody asked for silence.
    pub(crate) fn draws(&self) -> bool {
        !self.quiet && console::user_attended_stderr()
    }
}

/// Prints a line of the answer. Whoever closes the pipe has seen enough: the program ends, content.
///
/// # Errors
/// If standard output can't be written to.
pub(crate) fn print(line: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => Ok(written.context("writing the answer")?),
    }
}

/// A table in the house's style. Columns named in `numbers` are aligned to the right.
pub(crate) fn table(header: &[&str], numbers: std::ops::Range<usize>, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header.iter().map(|title| Cell::new(console::style(title).bold().to_string())));
    for row in rows {
        let cells = row.into_iter().enumerate().map(|(column, text)| {
            let side = if numbers.contains(&column) { CellAlignment::Right } else { CellAlignment::Left };
            Cell::new(text).set_alignment(side)
        });
        table.add_row(cells);
    }
    table.trim_fmt()
}

/// An amount as people read it: `132,000`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(132_000), "132,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn korean_text_keeps_columns_straight() {
        let rows = [vec!["좌석".to_owned(), "1".to_owned()], vec!["seat".to_owned(), "22".to_owned()]];
        let text = table(&["name", "n"], 1..2, rows);
        let widths: Vec<usize> = text.lines().map(|line| console::measure_text_width(line.trim_end())).collect();
        assert_eq!(widths[1], widths[2], "{text}");
    }
}
