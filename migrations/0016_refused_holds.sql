-- A fan may ask which holds were refused, and because of what: few of all outcomes, found by who asks.
create index command_log_refused_holds on command_log (unit, actor) where command in ('hold_seats', 'hold_best') and status >= 400;
