-- Snapshots: a performance's state as of a position, so that its writer starts without folding a long history. Copies of
-- the log, taken by one follower of what is committed; each can be deleted at any time.
--
-- The parts are written first, a statement each, so that no statement is long and the log's WAL never waits behind a
-- large one; the row that makes them a snapshot comes last, and what it replaces goes with it.
create table snapshots (
    unit         uuid not null,
    fold_version int not null, -- of the program that took it; another one ignores it
    position     bigint not null, -- of the last event folded in
    last_hash    bytea not null, -- SHA-256 of that event: a log that has another one there isn't the one this is of
    events       bigint not null, -- of the seats and the line, folded in: tells how many came since
    recorded_at  timestamptz not null, -- the latest of the events': time never goes back for a writer
    parts        int not null,
    bytes        bigint not null,
    checksum     bytea not null, -- SHA-256 of the bytes and of what stands above
    taken_at     timestamptz not null default clock_timestamp(),
    primary key (unit, fold_version, position)
);
create table snapshot_parts (
    unit         uuid not null,
    fold_version int not null,
    position     bigint not null,
    part         int not null, -- from 0
    bytes        bytea not null,
    primary key (unit, fold_version, position, part)
);
-- Ids and counts don't compress: no time is spent on trying.
alter table snapshot_parts alter column bytes set storage external;

-- A performance's parties by position: what happened in them since a snapshot. Only parties' events are in it, so no
-- other event's insert pays for it.
create index events_of_parties on events (left(aggregate_id, 36), position) where aggregate_type = 'party';
