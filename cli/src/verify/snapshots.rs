//! Each stored snapshot equals the fold of the log at its position.

use super::chain;
use super::findings::Findings;
use socketing_domain::unit::{Unit, UnitId};
use socketing_event_store::snapshot::{self, Snapshot, Stored, Unfit};
use socketing_event_store::{PgPool, load};

/// Holds every snapshot up to `head` against the log, one performance after another.
pub(crate) async fn verify(pool: &PgPool, head: u64) -> anyhow::Result<Findings> {
    let mut findings = Findings::new("snapshots", "each snapshot equals the log's fold at its position");
    let mut of_others = 0;
    for stored in snapshot::all(pool).await? {
        findings.looked();
        match snapshot::read(pool, &stored).await? {
            Ok(_) if stored.position > head => {} // newer than what is verified
            Ok(snapshot) => compare(pool, &stored, &snapshot, &mut findings).await?,
            Err(Unfit::OtherVersion { .. }) => of_others += 1,
            Err(_) if !snapshot::all(pool).await?.contains(&stored) => {} // replaced while it was read
            Err(unfit) => findings.fault(stored.position, format!("the snapshot of performance {}: {}", stored.performance, chain(&unfit))),
        }
    }
    findings.note = (of_others > 0).then(|| format!("{of_others} are another version's, and ignored"));
    Ok(findings)
}

async fn compare(pool: &PgPool, stored: &Stored, snapshot: &Snapshot, findings: &mut Findings) -> anyhow::Result<()> {
    let (performance, position) = (stored.performance, stored.position);
    // In a task of its own: an event that breaks an invariant ends the fold, not the verification.
    let pool = pool.clone();
    let folding = tokio::spawn(async move { load::unit_at(&pool, UnitId::Performance(performance), position).await });
    let folded = match folding.await {
        Ok(Ok(folded)) => folded,
        Ok(Err(error)) => {
            findings.fault(position, format!("performance {performance} can't be folded: {}", chain(&error)));
            return Ok(());
        }
        Err(_) => {
            findings.fault(position, format!("performance {performance} can't be folded: an event breaks an invariant"));
            return Ok(());
        }
    };
    let same = matches!(&folded.unit, Unit::Performance(hall) if **hall == snapshot.hall);
    if !same || folded.position != position || folded.recorded_at != snapshot.recorded_at {
        findings.fault(position, format!("the snapshot of performance {performance} isn't what the log makes"));
    }
    Ok(())
}
