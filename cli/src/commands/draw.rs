//! `socketing draw`: working a draw out again from what is public alone. No database, no key, no account.

use crate::client::{Api, Ask};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::system::SystemArgs;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;
use socketing_domain::PerformanceId;
use socketing_domain::draw::{self, Digest, Key, NO_SEED};
use socketing_service::signed::Signed;
use std::collections::HashSet;
use std::path::PathBuf;

/// Tickets asked for at once: as many as the API gives.
const PAGE: usize = 10_000;

/// What to do with a draw.
#[derive(Subcommand, Debug)]
pub(crate) enum DrawCommand {
    /// Work the whole order out again, and compare it with what was published. Exit code 3 if it differs.
    Verify(VerifyArgs),
    /// Check that a receipt, or another statement, was signed by the system. Exit code 3 if it wasn't.
    Receipt(ReceiptArgs),
}

/// Which draw.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// The performance.
    performance: PerformanceId,
    #[command(flatten)]
    system: SystemArgs,
}

/// Which statement.
#[derive(Args, Debug)]
pub(crate) struct ReceiptArgs {
    /// The file with the signed statement, as the API gave it.
    file: PathBuf,
    /// The public key, in hex; without it, the running system is asked for its own.
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
    #[command(flatten)]
    system: SystemArgs,
}

/// What came of looking at a draw.
#[derive(Serialize)]
struct Looked {
    performance: PerformanceId,
    entries: usize,
    seed: Digest,
    /// What has to be known of it, besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// What is wrong; nothing, if the draw is as it must be.
    faults: Vec<String>,
}

/// What is public of a draw.
#[derive(serde::Deserialize)]
struct Public {
    commitment: Digest,
    committed_position: u64,
    #[serde(default)]
    seed_lost_position: Option<u64>,
    #[serde(default)]
    seed_lost_reason: Option<String>,
    #[serde(default)]
    beacon: Option<String>,
    #[serde(default)]
    beacon_source: Option<String>,
    root: Option<Digest>,
    entries: Option<usize>,
    closed_position: Option<u64>,
    seed: Option<Digest>,
    revealed_position: Option<u64>,
}

/// Carries a command out.
pub(crate) async fn run(command: DrawCommand, output: Output) -> anyhow::Result<Exit> {
    match command {
        DrawCommand::Verify(args) => verify(args, output).await,
        DrawCommand::Receipt(args) => receipt(args, output).await,
    }
}

async fn verify(args: VerifyArgs, output: Output) -> anyhow::Result<Exit> {
    let api = Api::new(args.system.find()?.url()?, 1)?;
    let performance = args.performance;
    let public: Public = serde_json::from_value(ask(&api, &format!("/v1/performances/{performance}/draw")).await?)?;
    let tickets = tickets(&api, performance).await?;
    let (Some(root), Some(seed)) = (public.root, public.seed) else {
        return Err(Failure::new(Exit::Failure, "the seed isn't published yet: the draw isn't over").into());
    };
    let faults = faults(&public, &root, &seed, &tickets);
    let looked = Looked { performance, entries: tickets.len(), seed, note: note(&public), faults };
    output.answer(&looked, text)?;
    Ok(if looked.faults.is_empty() { Exit::Ok } else { Exit::Broken })
}

async fn ask(api: &Api, path: &str) -> anyhow::Result<Value> {
    let answer = api.call_patiently(Ask::get(path)).await;
    Ok(answer.map_err(|error| error.failure(api, &format!("asking for {path}")))?.body)
}

async fn tickets(api: &Api, performance: PerformanceId) -> anyhow::Result<Vec<Digest>> {
    let mut tickets: Vec<Digest> = Vec::new();
    loop {
        let path = format!("/v1/performances/{performance}/draw/tickets?after={}&limit={PAGE}", tickets.len());
        let page: Vec<Digest> = serde_json::from_value(ask(api, &path).await?["tickets"].take())?;
        let last = page.len() < PAGE;
        tickets.extend(page);
        if last {
            return Ok(tickets);
        }
    }
}

/// That a seed was lost is for everybody to know, and to judge.
fn note(public: &Public) -> Option<String> {
    let (position, reason) = (public.seed_lost_position?, public.seed_lost_reason.as_deref().unwrap_or_default());
    let (value, source) = (public.beacon.as_deref().unwrap_or_default(), public.beacon_source.as_deref().unwrap_or_default());
    Some(format!(
        "the seed was lost, says the log at {position} ({reason}): the beacon alone decided; look up that {source:?} said {value:?}, and when"
    ))
}

fn faults(public: &Public, root: &Digest, seed: &Digest, tickets: &[Digest]) -> Vec<String> {
    let mut faults = Vec::new();
    let lost = public.seed_lost_position.is_some();
    if !lost && draw::commitment(seed) != public.commitment {
        faults.push("the seed isn't the one that was committed to".to_owned());
    }
    if lost && (*seed != NO_SEED || public.beacon.is_none() || public.seed_lost_position >= public.revealed_position) {
        faults.push("the seed was lost, and the beacon alone didn't decide".to_owned());
    }
    if Some(public.committed_position) >= public.closed_position || public.closed_position >= public.revealed_position {
        faults.push("commitment, root and seed were not published in this order".to_owned());
    }
    if public.entries != Some(tickets.len()) {
        faults.push(format!("{} tickets are listed, and {:?} were drawn", tickets.len(), public.entries));
    }
    if tickets.iter().collect::<HashSet<_>>().len() != tickets.len() {
        faults.push("a ticket is listed twice".to_owned());
    }
    let mut sorted = tickets.to_vec();
    sorted.sort_unstable();
    let ours = draw::root(&sorted);
    if ours != *root {
        faults.push(format!("the root of the listed tickets is {ours}, and {root} was published"));
    }
    let key = Key::new(seed, root, public.beacon.as_deref().unwrap_or_default());
    let expected = key.order(tickets.iter().map(|ticket| (*ticket, ())));
    let wrong: Vec<usize> = (0..tickets.len()).filter(|at| tickets[*at] != expected[*at].0).collect();
    if let Some(first) = wrong.first() {
        faults.push(format!(
            "{} tickets have another number than the seed gives them, the first of them number {}",
            wrong.len(),
            first + 1
        ));
    }
    faults
}

fn text(looked: &Looked) -> String {
    let note = looked.note.iter().map(|note| format!("NOTE: {note}"));
    let faults = looked.faults.iter().map(|fault| format!("FAILED: {fault}"));
    let right = format!("{} tickets, seed {}: the order is the one that follows", looked.entries, looked.seed);
    note.chain(faults).chain(looked.faults.is_empty().then_some(right)).collect::<Vec<_>>().join("\n")
}

async fn receipt(args: ReceiptArgs, output: Output) -> anyhow::Result<Exit> {
    let text = std::fs::read_to_string(&args.file)
        .map_err(|error| Failure::new(Exit::Failure, format!("can't read {}: {error}", args.file.display())))?;
    let signed: Signed = serde_json::from_str(&text)
        .map_err(|error| Failure::new(Exit::Failure, format!("{} is no signed statement: {error}", args.file.display())))?;
    let key = match args.key {
        Some(key) => key,
        None => {
            let api = Api::new(args.system.find()?.url()?, 1)?;
            ask(&api, "/v1/statement-key").await?["key"].as_str().unwrap_or_default().to_owned()
        }
    };
    let genuine = signed.is_by(&key);
    let answer = serde_json::json!({ "genuine": genuine, "key": key, "statement": signed.statement });
    output.answer(&answer, |_| match genuine {
        true => format!("signed by {key}:\n{}", signed.statement),
        false => format!("FAILED: not signed by {key}"),
    })?;
    Ok(if genuine { Exit::Ok } else { Exit::Broken })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(count: u8) -> Vec<Digest> {
        (0..count).map(|n| draw::commitment(&Digest([n; 32]))).collect()
    }

    fn drawn() -> (Public, Vec<Digest>) {
        let seed = Digest([7; 32]);
        let mut sorted = digests(50);
        sorted.sort_unstable();
        let root = draw::root(&sorted);
        let tickets =
            Key::new(&seed, &root, "").order(sorted.into_iter().map(|ticket| (ticket, ()))).into_iter().map(|(ticket, ())| ticket);
        let public = Public {
            commitment: draw::commitment(&seed),
            committed_position: 1,
            seed_lost_position: None,
            seed_lost_reason: None,
            beacon: None,
            beacon_source: None,
            root: Some(root),
            entries: Some(50),
            closed_position: Some(2),
            seed: Some(seed),
            revealed_position: Some(3),
        };
        (public, tickets.collect())
    }

    fn found(public: &Public, tickets: &[Digest]) -> Vec<String> {
        faults(public, &public.root.unwrap(), &public.seed.unwrap(), tickets)
    }

    #[test]
    fn a_draw_as_it_must_be_has_no_faults_and_every_change_is_found() {
        let (public, tickets) = drawn();
        assert_eq!(found(&public, &tickets), Vec::<String>::new());
        let mut swapped = tickets.clone();
        swapped.swap(3, 9);
        assert_eq!(found(&public, &swapped), ["2 tickets have another number than the seed gives them, the first of them number 4"]);
        let mut changed = tickets.clone();
        changed[10].0[0] ^= 1;
        assert!(found(&public, &changed)[0].contains("the root of the listed tickets"));
        assert!(found(&public, &tickets[1..])[0].contains("49 tickets are listed"));
        let twice: Vec<Digest> = tickets.iter().chain(&tickets[..1]).copied().collect();
        assert!(found(&public, &twice).iter().any(|fault| fault.contains("twice")));
        let late = Public { committed_position: 5, ..drawn().0 };
        assert!(found(&late, &tickets)[0].contains("in this order"));
        let lost = Public { seed_lost_position: Some(2), beacon: Some("8f3b".to_owned()), ..drawn().0 };
        assert!(found(&lost, &tickets)[0].contains("the beacon alone didn't decide"));
        let other = Public { seed: Some(Digest([8; 32])), ..drawn().0 };
        assert!(found(&other, &tickets)[0].contains("committed to"));
    }

    /// The draw that every implementation is held to: this one, the one in Python, and that of the web page.
    #[test]
    fn the_common_example_is_worked_out_as_by_the_others() {
        let example: Value = serde_json::from_str(include_str!("../../../tests/vectors/draw.json")).unwrap();
        let public: Public = serde_json::from_value(example["draw"].clone()).unwrap();
        let tickets: Vec<Digest> = serde_json::from_value(example["tickets"].clone()).unwrap();
        assert_eq!(found(&public, &tickets), Vec::<String>::new());
        let signed: Signed = serde_json::from_value(example["receipt"].clone()).unwrap();
        assert!(signed.is_by(&signed.key));
        let receipt: Value = serde_json::from_str(&signed.statement).unwrap();
        let id = |name: &str| receipt[name].as_str().unwrap();
        let ticket = draw::ticket(id("account_id").parse().unwrap(), id("entry_id").parse().unwrap());
        assert_eq!(receipt["ticket"], ticket.to_string());
        let number = tickets.iter().position(|other| *other == ticket).unwrap() + 1;
        assert_eq!(example["receipt_number"], number);
    }
}
