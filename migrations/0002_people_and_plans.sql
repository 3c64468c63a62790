-- People: the only place with personal data. Erasing a person never touches the log.
create table people (
    account_id    uuid primary key,
    email         text not null constraint people_email_key unique, -- lower case, trimmed
    nickname      text not null constraint people_nickname_key unique,
    password_hash text not null, -- argon2id, PHC string
    opened        boolean not null default false, -- whether the log has AccountOpened; set right after it
    created_at    timestamptz not null default now()
);

-- Signed-out sessions, until their tokens run out anyway. Loaded by every service once a second.
create table revoked_sessions (
    session_id uuid primary key,
    expires_at timestamptz not null,
    revoked_at timestamptz not null default clock_timestamp()
);
create index revoked_sessions_time on revoked_sessions (revoked_at);

-- The key that session tokens are signed with, made once by the first service that starts.
create table service_secrets (
    name       text primary key,
    secret     bytea not null,
    created_at timestamptz not null default now()
);

-- Seating plans: immutable, named by the SHA-256 of their canonical JSON, never deleted.
create table plans (
    hash        bytea primary key check (length(hash) = 32),
    name        text not null,
    seats       int not null check (seats > 0),
    plan        json not null,
    imported_by uuid,
    imported_at timestamptz not null default now()
);
