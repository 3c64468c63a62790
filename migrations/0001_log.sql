-- The log. `events` is postgres-es's table (so that its repository reads it) plus a place in the one order of all
-- events, and the moment of the commit by Postgres's clock.
create table events (
    aggregate_type text collate "C" not null,
    aggregate_id   text collate "C" not null, -- "C": parties load by the prefix '<performance>/'
    sequence       bigint not null check (sequence > 0),
    event_type     text not null,
    event_version  text not null,
    payload        json not null, -- json, not jsonb: a third faster to write, and kept byte for byte
    metadata       json not null,
    position       bigint not null,
    recorded_at    timestamptz not null default clock_timestamp(),
    primary key (aggregate_type, aggregate_id, sequence)
);
create unique index events_position on events (position);

-- The last position given, in one row: its lock orders commits, so positions are dense and in commit order.
-- `log_id` names the log, `incarnation` one history of it: a restore from a backup gives a new one.
create table log_head (
    id          smallint primary key check (id = 1),
    position    bigint not null check (position >= 0),
    log_id      uuid not null default gen_random_uuid(),
    incarnation uuid not null default gen_random_uuid()
) with (fillfactor = 10); -- room for HOT updates: one row, updated by every commit
insert into log_head (id, position) values (1, 0);

-- Who may write which shard. The epoch rises with each change of owner and is checked inside each batch's statement.
create table shard_leases (
    shard      smallint primary key check (shard between 0 and 127),
    owner      uuid,
    address    text, -- where the owner takes forwarded commands
    epoch      bigint not null default 0,
    expires_at timestamptz not null default '-infinity'
) with (fillfactor = 50);
insert into shard_leases (shard) select generate_series(0, 127);

-- Each command's outcome, refusals included: a retry gets the same answer. No password, token or personal data, ever.
-- Uniqueness across days is the unit's writer's; the key is only the last line. The one index is narrow, for it is written
-- in random order: the key's digest stands for kind, actor and key, whose texts would make it five times as wide.
create table command_log (
    unit           uuid not null,
    digest         uuid not null, -- the first half of SHA-256 of the unit's kind, the actor and the key
    recorded_on    date not null default (now() at time zone 'utc')::date,
    unit_kind      text collate "C" not null,
    actor          text collate "C" not null,
    key            text collate "C" not null,
    command_id     uuid not null, -- time-ordered
    command        text not null,
    fingerprint    uuid not null, -- the first half of SHA-256 of the command: the same key with another body is refused
    status         smallint not null,
    body           json not null, -- without the position, which is known only here
    position       bigint not null, -- of the command's last event; of a refusal: the log's head when it was decided
    cause_type     text, -- of a refusal: the stream of this unit, and the sequence in it, of the event that caused it
    cause_sequence bigint,
    recorded_at    timestamptz not null default clock_timestamp(),
    primary key (unit, digest, recorded_on)
) partition by range (recorded_on);

-- Units that have something to do at a time, though nobody commands them: timers survive restarts.
create table due (
    unit        uuid not null,
    unit_kind   text collate "C" not null,
    shard       smallint not null,
    next_due_at timestamptz not null,
    primary key (unit, unit_kind)
) with (fillfactor = 50);
create index due_next on due (next_due_at);

-- Makes the partitions of `command_log` from today to so many days ahead (UTC). Harmless when they exist.
create function make_command_log_partitions(days_ahead int) returns void language plpgsql as $$
declare
    day date;
begin
    for day in select generate_series((now() at time zone 'utc')::date - 1, (now() at time zone 'utc')::date + days_ahead, interval '1 day')::date loop
        execute format('create table if not exists %I partition of command_log for values from (%L) to (%L)',
                       'command_log_' || to_char(day, 'YYYYMMDD'), day, day + 1);
    end loop;
end $$;
select make_command_log_partitions(7);
