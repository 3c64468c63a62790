import type { LineCounters, LineDelta, LineSnapshot } from "../live/protocol";

/** What the line page shows: how many wait ahead, from which point on. */
export interface Place {
  /** Waiting places with a lower number. */
  ahead: number;
  /** How many were called when that was so. */
  admitted: number;
  counters: LineCounters;
}

/** The place as a snapshot tells it. */
export function placeOf(snapshot: LineSnapshot, known: number): Place {
  return { ahead: snapshot.ahead ?? known, admitted: snapshot.admitted, counters: snapshot };
}

/**
 * The place after what happened since: everyone called stood ahead, as the line is called in order, and so did those of
 * lower numbers who gave up waiting.
 */
export function move(place: Place, number: number, delta: LineDelta): Place {
  const called = Math.max(0, delta.admitted - place.admitted);
  const gone = (delta.departed ?? []).filter((other) => other < number).length;
  const ahead = delta.ahead ?? Math.max(0, place.ahead - called - gone);
  return { ahead, admitted: delta.admitted, counters: delta };
}

/** How much of the way is behind: 0 where one began, 1 at the door. */
export function shareDone(startedAt: number, ahead: number): number {
  if (startedAt <= 0) return ahead === 0 ? 1 : 0;
  return Math.min(1, Math.max(0, (startedAt - ahead) / startedAt));
}
