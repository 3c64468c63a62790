// The highest log position that this page knows of: from the answers to its own commands, and from what it was told
// about its own account. Queries ask for answers that rest on at least this, so that one reads one's own writes.

let seen = 0;

/** Takes note of a position that an answer or a message covers. */
export function notePosition(position: number): void {
  if (position > seen) seen = position;
}

/** The `min_position` parameter, absent while nothing was written. */
export function minPosition(): { min_position?: number } {
  return seen > 0 ? { min_position: seen } : {};
}

/** Forgets what was seen: after signing out, or when the server says that its log has no such position. */
export function forgetPositions(): void {
  seen = 0;
}
