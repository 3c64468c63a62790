-- Payments by a provider outside. What is in doubt is a state of its own, which operators see; and what waits for a slow
-- provider waits in a lane of its own, so that it never keeps the system's own steps from being carried out.
alter table intents
    add column lane           text not null default 'own' check (lane in ('own', 'card')),
    add column state          text not null default 'waiting' check (state in ('waiting', 'in_doubt')),
    add column in_doubt_since timestamptz, -- when the provider was first asked; its answer isn't known yet
    add check ((state = 'in_doubt') = (in_doubt_since is not null));

drop index intents_next;
create index intents_next on intents (lane, next_try_at);

-- A provider's message names a payment or a refund by its id.
create index intents_of_card on intents ((coalesce(intent ->> 'refund', intent ->> 'payment'))) where lane = 'card';
create index intents_in_doubt on intents (in_doubt_since) where state = 'in_doubt';
