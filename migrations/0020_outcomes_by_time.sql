-- The index on outcomes was written in random order: its key begins with the time in the command's key now, where that
-- is a UUIDv7, so that what is recorded at one time lies together. `./dev bench statement` tells what a row costs.
alter table command_log add column key_time int not null default 0; -- in steps of 256 ms, cut to 32 bits; 0 for every other key, and before
alter table command_log drop constraint command_log_pkey;
alter table command_log add primary key (unit, key_time, digest, recorded_on);
