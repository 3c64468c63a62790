//! What is wrong with a plan, collected.

use super::Problem;
use crate::limits::PLAN_PROBLEMS_MAX;
use std::fmt::Display;

/// Problems in the order in which they were found. Beyond the most that are listed, they are only counted.
#[derive(Default)]
pub(super) struct Problems {
    listed: Vec<Problem>,
    unlisted: usize,
}

impl Problems {
    /// Adds a problem. The path is a JSON pointer.
    pub(super) fn add(&mut self, path: impl Display, code: &str, detail: impl Into<String>) {
        if self.listed.len() + 1 >= PLAN_PROBLEMS_MAX {
            self.unlisted += 1;
            return;
        }
        self.listed.push(Problem { path: path.to_string(), code: code.to_owned(), detail: detail.into() });
    }

    /// The value, if nothing is wrong; else everything that is.
    pub(super) fn none_or<T>(mut self, value: T) -> Result<T, Vec<Problem>> {
        if self.listed.is_empty() {
            return Ok(value);
        }
        if self.unlisted > 0 {
            let detail = format!("{} more problems aren't listed", self.unlisted);
            self.listed.push(Problem { path: String::new(), code: "more_problems".to_owned(), detail });
        }
        Err(self.listed)
    }
}

/// One problem with the whole of what was uploaded.
pub(super) fn of_all<T>(code: &str, detail: impl Into<String>) -> Result<T, Vec<Problem>> {
    Err(vec![Problem { path: String::new(), code: code.to_owned(), detail: detail.into() }])
}

/// The problem that the parser stopped at: of the text, or of what it says.
pub(super) fn unreadable<T>(error: &serde_json::Error) -> Result<T, Vec<Problem>> {
    of_all(if error.is_data() { "not_a_plan" } else { "not_json" }, error.to_string())
}
