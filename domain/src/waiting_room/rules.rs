//! The rules of a line.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who gets in first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Who comes before the opening waits in the lobby, without order, and is drawn at the opening; who comes later stands
    /// behind, as they come. Where a line is set up too late for a lobby, as in `first_come`.
    #[default]
    Draw,
    /// As people come, from the opening on.
    FirstCome,
    /// There is no line: from the opening on everyone who comes is inside.
    Open,
}

/// How a show's lines work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LineRules {
    /// Who gets in first.
    pub mode: Mode,
    /// People called in a minute, at most, 1 to 60,000. Without it, everyone for whom there is a place.
    pub admissions_per_minute: Option<u32>,
    /// Seconds within which who is called must claim the pass, 1 to 3,600; else the place goes to the next.
    pub claim_seconds: u32,
    /// How many seconds before the sale the lobby opens, 1 to 604,800 (a week).
    pub lobby_seconds: u32,
}

impl Default for LineRules {
    /// A draw with a lobby half an hour before; nobody is kept waiting for the sake of a rate; a minute to claim a pass.
    fn default() -> Self {
        LineRules { mode: Mode::Draw, admissions_per_minute: None, claim_seconds: 60, lobby_seconds: 1800 }
    }
}

impl LineRules {
    /// Those of the 2024 system, and of lines that were opened before there were rules: as people come, 10 s to claim.
    #[must_use]
    pub fn original() -> Self {
        LineRules { mode: Mode::FirstCome, claim_seconds: 10, ..LineRules::default() }
    }
}
