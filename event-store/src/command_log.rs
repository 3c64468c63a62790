//! Outcomes of commands: a retry gets the same answer, across crashes, restarts and nodes.

use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::{Executor as _, PgConnection, PgExecutor, Row};
use time::OffsetDateTime;
use uuid::Uuid;

/// The status recorded for accepted commands; a route that creates something answers 201, the first time and again.
pub const ACCEPTED: u16 = 200;

/// Names a command by its unit's kind, its sender and its key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct KeyDigest {
    /// The time in the key, in steps of 256 ms cut to 32 bits, if it is a UUIDv7; 0 for every other. What is recorded at
    /// one time lies together in the index by it, whose pages would be written in random order otherwise.
    pub time: i32,
    /// The first half of the SHA-256 of all three. Two that collide would have to be sought by 2^64 tries, and by one who
    /// may choose only their own keys.
    pub hash: Uuid,
}

impl KeyDigest {
    /// The digest of a key that an actor uses at a unit of this kind.
    #[must_use]
    pub fn of(unit_kind: &str, actor: &str, key: &str) -> KeyDigest {
        let hash = Sha256::new().chain_update(unit_kind).chain_update([0]).chain_update(actor).chain_update([0]).chain_update(key);
        KeyDigest { time: time_of(key), hash: first_half(&hash.finalize().into()) }
    }

    /// Half of the hash: enough to say that a key was surely never seen.
    #[must_use]
    pub const fn short(&self) -> u64 {
        short(self.hash)
    }
}

/// A part of what was hashed well already says as much as the whole.
impl std::hash::Hash for KeyDigest {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.short());
    }
}

const fn short(hash: Uuid) -> u64 {
    hash.as_u64_pair().0
}

fn time_of(key: &str) -> i32 {
    // A UUIDv7 (RFC 9562) begins with 48 bits of milliseconds.
    match Uuid::try_parse(key) {
        Ok(id) if id.get_version_num() == 7 => (id.as_u128() >> (80 + 8)) as i32,
        _ => 0,
    }
}

/// Names what a command says: the first half of its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint(pub Uuid);

impl Fingerprint {
    /// The fingerprint of a command's name and JSON.
    #[must_use]
    pub fn of(name: &str, json: &[u8]) -> Fingerprint {
        Fingerprint(first_half(&Sha256::new().chain_update(name).chain_update(json).finalize().into()))
    }
}

fn first_half(hash: &[u8; 32]) -> Uuid {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    Uuid::from_bytes(half)
}

/// A recorded outcome.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Who asked, under which key.
    pub key: KeyDigest,
    /// What was asked.
    pub fingerprint: Fingerprint,
    /// The HTTP status it was answered with.
    pub status: u16,
    /// The answer as JSON, without the position.
    pub body: String,
    /// The position that covers it, or at which it was refused.
    pub position: u64,
}

/// The outcomes recorded for these keys at one unit.
///
/// # Errors
/// The database's.
pub async fn find(db: impl PgExecutor<'_>, unit: Uuid, keys: &[KeyDigest]) -> Result<Vec<Outcome>, sqlx::Error> {
    let rows = sqlx::query(
        "select wanted.key_time, c.digest, fingerprint, status, body::text as body, position
         from unnest($2::int[], $3::uuid[]) as wanted (key_time, digest)
         cross join lateral (values (wanted.key_time), (0)) as tried (key_time) -- 0: recorded before there was this column
         join command_log c on c.unit = $1 and c.key_time = tried.key_time and c.digest = wanted.digest",
    )
    .bind(unit)
    .bind(keys.iter().map(|key| key.time).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.hash).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Outcome {
                key: KeyDigest { time: row.try_get("key_time")?, hash: row.try_get("digest")? },
                fingerprint: Fingerprint(row.try_get("fingerprint")?),
                status: row.try_get::<i16, _>("status")? as u16,
                body: row.try_get("body")?,
                position: row.try_get::<i64, _>("position")? as u64,
            })
        })
        .collect()
}

/// The short digests of a unit's recorded keys, at most `limit` of them, in no order.
///
/// # Errors
/// The database's.
pub async fn keys(db: impl PgExecutor<'_>, unit: Uuid, limit: usize) -> Result<Vec<u64>, sqlx::Error> {
    sqlx::query_scalar::<_, Uuid>("select digest from command_log where unit = $1 limit $2")
        .bind(unit)
        .bind(limit as i64)
        .fetch(db)
        .map_ok(short)
        .try_collect()
        .await
}

/// The short digests of the recorded keys of many units, at most `limit` of each: for each unit, in the order given.
///
/// # Errors
/// The database's.
pub async fn keys_of_many(db: &mut PgConnection, units: &[Uuid], limit: usize) -> Result<Vec<Vec<u64>>, sqlx::Error> {
    let mut rows = sqlx::query_as::<_, (i64, Uuid)>(
        "select nth, digest from unnest($1::uuid[]) with ordinality as wanted (wanted_unit, nth)
         cross join lateral (select digest from command_log where unit = wanted_unit limit $2) c",
    )
    .bind(units)
    .bind(limit as i64)
    .fetch(db);
    let mut keys = vec![Vec::new(); units.len()];
    while let Some((nth, digest)) = rows.try_next().await? {
        keys[nth as usize - 1].push(short(digest));
    }
    Ok(keys)
}

/// A hold that was refused.
#[derive(Clone, PartialEq, Debug, sqlx::FromRow)]
pub struct RefusedHold {
    /// The log's head when it was decided.
    pub position: i64,
    /// The position of the event that was the cause, where there is one.
    pub cause_position: Option<i64>,
    /// What it was answered with: the code, the seats.
    pub body: sqlx::types::Json<serde_json::Value>,
    /// When.
    pub recorded_at: OffsetDateTime,
}

/// The holds at a performance that this actor was refused, the latest first, at most `limit` of them; of days whose outcomes
/// are still kept.
///
/// # Errors
/// The database's.
pub async fn refused_holds(db: impl PgExecutor<'_>, unit: Uuid, actor: &str, limit: u32) -> Result<Vec<RefusedHold>, sqlx::Error> {
    sqlx::query_as(
        "select c.position, e.position as cause_position, c.body, c.recorded_at
         from command_log c
         left join events e on e.aggregate_type = c.cause_type and e.aggregate_id = c.unit::text and e.sequence = c.cause_sequence
         where c.unit = $1 and c.actor = $2 and c.command in ('hold_seats', 'hold_best') and c.status >= 400
         order by c.command_id desc limit $3",
    )
    .bind(unit)
    .bind(actor)
    .bind(i64::from(limit))
    .fetch_all(db)
    .await
}

/// Makes the partitions of the coming days, for rows and packs. A day without its partition would refuse every command, so
/// this runs at start and every hour, a week ahead.
///
/// # Errors
/// The database's; a week of tries is left.
pub async fn make_partitions(db: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    sqlx::query("select make_command_log_partitions(7)").execute(db).await?;
    Ok(())
}

/// A day's partition that has had its time.
#[derive(sqlx::FromRow)]
struct OldDay {
    name: String,
    /// The table whose part it is: outcomes in rows, or packed.
    table: String,
    /// Whether it is still a part of that; one that isn't was left by a process that died in between.
    attached: bool,
    /// Whether its detaching was begun and not ended, for the same reason.
    pending: bool,
}

/// Drops the outcomes of days (UTC) before the last `keep_days`, and copies their refusals to `refusals` first. Whoever
/// writes isn't stopped: partitions are detached concurrently, which is why this needs a connection without a transaction
/// or a timeout. Harmless to repeat; one process at a time does it. Returns how many partitions went.
///
/// # Errors
/// The database's; what is left is done by the next call.
pub async fn drop_old_days(connection: &mut PgConnection, keep_days: u32) -> Result<usize, sqlx::Error> {
    let ours: bool =
        sqlx::query_scalar("select pg_try_advisory_lock(hashtext('socketing command_log'))").fetch_one(&mut *connection).await?;
    if !ours {
        return Ok(0);
    }
    let days: Vec<OldDay> = sqlx::query_as(
        "select c.relname::text as name, substring(c.relname::text from 'command_[a-z]+') as table, i.inhrelid is not null as attached,
             coalesce(i.inhdetachpending, false) as pending
         from pg_class c left join pg_inherits i on i.inhrelid = c.oid
         where c.relkind = 'r' and c.relname ~ '^command_(log|packs)_[0-9]{8}$'
           and c.relnamespace = (select relnamespace from pg_class where oid = 'command_log'::regclass)
           and to_date(right(c.relname, 8), 'YYYYMMDD') < (now() at time zone 'utc')::date - $1
         order by right(c.relname, 8), c.relname",
    )
    .bind(keep_days as i32)
    .fetch_all(&mut *connection)
    .await?;
    for day in &days {
        drop_day(connection, day).await?;
    }
    Ok(days.len())
}

async fn drop_day(connection: &mut PgConnection, OldDay { name, table, attached, pending }: &OldDay) -> Result<(), sqlx::Error> {
    if table == "command_log" {
        keep_refusals(connection, name).await?;
    }
    // The names are the catalogue's own, of letters, digits and underscores.
    if *attached {
        let how = if *pending { "finalize" } else { "concurrently" };
        connection.execute(format!("alter table {table} detach partition {name} {how}").as_str()).await?;
    }
    connection.execute(format!("drop table {name}").as_str()).await?;
    tracing::info!(partition = name, "outcomes of commands that had their time are dropped; their refusals are kept");
    Ok(())
}

/// Refusals have rows of their own, so none is in a pack.
async fn keep_refusals(connection: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    let copy = format!(
        "insert into refusals (command_id, recorded_on, unit, unit_kind, actor, command, status, body, position, cause_type, cause_sequence, recorded_at)
         select command_id, recorded_on, unit, unit_kind, actor, command, status, body, position, cause_type, cause_sequence, recorded_at
         from {name} where status >= 400
         on conflict (command_id) do nothing"
    );
    connection.execute(copy.as_str()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_uuidv7_are_in_the_order_of_their_times() {
        let at = |ms: u64| Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, ms / 1_000, (ms % 1_000) as u32 * 1_000_000));
        let time = |key: &str| KeyDigest::of("performance", "account:a", key).time;
        let now = 1_795_600_000_000; // November 2026
        let times = [0, 256, 512, 60_000].map(|later| time(&at(now + later).to_string()));
        assert!(times.is_sorted_by(|one, other| one < other), "{times:?}");
        assert_eq!(time(&at(now).to_string()), time(&at(now).to_string()), "whatever else is in it");
    }

    #[test]
    fn other_keys_have_no_time() {
        for key in ["", "key", "charge/1", "0190a8b0-0000-4000-8000-000000000000", "0190a8b0-0000-7000-8000-00000000000"] {
            assert_eq!(KeyDigest::of("performance", "account:a", key).time, 0, "{key}");
        }
    }
}
