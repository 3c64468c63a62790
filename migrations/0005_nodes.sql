-- The nodes that decide commands, each with a heartbeat. A lease on a shard lives as long as its owner's row, so that a
-- node renews all its leases by one row, which no commit ever waits for; renewing each lease's own row took the lock that
-- every commit shares.
create table nodes (
    node       uuid primary key,
    address    text not null, -- where it takes forwarded commands
    leaving    boolean not null default false, -- it was told to stop: its shards go to those who stay
    expires_at timestamptz not null
) with (fillfactor = 10); -- room for HOT updates: few rows, each updated every second

alter table shard_leases drop column address, drop column expires_at;
