-- Instances of the notifier, each with a heartbeat: what one wrote down of open pages counts for as long as it lives, by
-- PostgreSQL's clock. One that dies leaves rows behind that nobody else would ever close.
create table presence_instances (
    instance   uuid primary key,
    started_at timestamptz not null,
    expires_at timestamptz not null
) with (fillfactor = 10); -- room for HOT updates: few rows, each updated every few seconds

-- Programs before this one have no heart: theirs get as long as an upgrade takes, then what they left behind lapses too.
insert into presence_instances (instance, started_at, expires_at)
select distinct instance, clock_timestamp(), clock_timestamp() + interval '1 hour' from presence;

create index presence_here on presence (instance) where gone_at is null;

-- Read model `line`: a draw whose seed was lost.
alter table lines add column seed_lost_position bigint, add column seed_lost_reason text;
