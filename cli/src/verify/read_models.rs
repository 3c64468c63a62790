//! Each read model equals a fold of the log from zero. The projections bring that fold themselves, as code that shares
//! nothing with their handlers; here it is run, once they have caught up with what was verified.

use super::findings::Findings;
use anyhow::Context as _;
use socketing_event_store::{PgPool, checkpoint};
use socketing_projections::projection::Model;
use socketing_projections::verify::{Mismatch, Verified, verify as compare};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often they are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Compares every read model with the log, once the projections have caught up with `head`, or have had the time to.
///
/// # Errors
/// If the database can't be asked.
pub(crate) async fn verify(pool: &PgPool, head: u64, patience: Duration) -> anyhow::Result<Findings> {
    let deadline = Instant::now() + patience;
    while reached(pool).await? < head && Instant::now() < deadline {
        sleep(LOOK_EVERY).await;
    }
    let verified = compare(pool).await.context("comparing the read models with the log")?;
    Ok(findings(&verified, head))
}

/// Where the slowest projection is.
async fn reached(pool: &PgPool) -> anyhow::Result<u64> {
    let mut slowest = u64::MAX;
    for model in Model::ALL {
        let known = checkpoint::load(pool, model.reader()).await?;
        slowest = slowest.min(known.map_or(0, |checkpoint| checkpoint.position));
    }
    Ok(slowest)
}

fn findings(verified: &[Verified], head: u64) -> Findings {
    let mut findings = Findings::new("read models", "each read model equals a fold of the log from zero");
    for model in verified {
        findings.checked += model.rows;
        if model.position < head {
            let text = format!("{} is at position {}, the log at {head}: it isn't followed", model.projection, model.position);
            findings.fault(model.position, text);
        }
        for mismatch in &model.mismatches {
            findings.fault(model.position, told(mismatch));
        }
        findings.failed += model.mismatched.saturating_sub(model.mismatches.len() as u64);
    }
    let names: Vec<&str> = verified.iter().map(|model| model.projection).collect();
    findings.note = Some(format!("rows of {}", names.join(", ")));
    findings
}

fn told(mismatch: &Mismatch) -> String {
    let value = |value: &Option<serde_json::Value>| value.as_ref().map_or("nothing".to_owned(), ToString::to_string);
    let Mismatch { projection, key, expected, found } = mismatch;
    format!("{projection}: {key} is {}, the log says {}", value(found), value(expected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_differs_and_what_is_behind_are_faults() {
        let mismatch = Mismatch { projection: "wallets", key: "wallets x".into(), expected: Some(json!(1)), found: None };
        let model = |position, mismatches: Vec<Mismatch>| Verified {
            projection: "wallets",
            position,
            rows: 5,
            mismatched: mismatches.len() as u64 + 2,
            mismatches,
        };
        let clean = Verified { mismatched: 0, ..model(9, Vec::new()) };
        assert!(findings(std::slice::from_ref(&clean), 9).is_clean());
        assert_eq!(findings(&[clean], 10).failed, 1);
        let broken = findings(&[model(9, vec![mismatch])], 9);
        assert_eq!((broken.failed, broken.checked), (3, 5));
        assert!(broken.faults[0].detail.contains("wallets x is nothing, the log says 1"), "{:?}", broken.faults);
    }
}
