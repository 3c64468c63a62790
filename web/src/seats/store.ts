import type { Venue } from "./plan";

/** How a seat stands for the one who looks at it. */
export type SeatState = "free" | "held" | "paying" | "sold" | "mine" | "pending";

const FREE = 0;
const SOLD = 3;
const BY_DIGIT: readonly SeatState[] = ["free", "held", "paying", "sold"];

/**
 * The state of every seat of one performance. It lives outside React: a row's component asks for its row's version and
 * renders again only when that changes, however many seats the venue has.
 */
export class SeatStore {
  private readonly states: Uint8Array;
  private readonly rowVersions: Uint32Array;
  private readonly freeByRow: Uint32Array;
  private mine: ReadonlySet<number> = new Set();
  private pending: ReadonlySet<number> = new Set();
  private listeners = new Set<() => void>();
  private versionNow = 0;
  private knownAt: number | undefined;

  constructor(readonly venue: Venue) {
    this.states = new Uint8Array(venue.seatCount);
    this.rowVersions = new Uint32Array(venue.rows.length);
    this.freeByRow = new Uint32Array(venue.rows.length);
    this.recount();
  }

  /** Takes the whole state: one ASCII digit per seat. A text of another length is another plan's, and is refused. */
  snapshot(digits: string, position: number): boolean {
    if (digits.length !== this.states.length) return false;
    for (let seat = 0; seat < digits.length; seat += 1) this.put(seat, digits.charCodeAt(seat) - 48);
    this.knownAt = position;
    this.emit();
    return true;
  }

  /** Takes what changed since the last message. */
  apply(changes: readonly (readonly [number, number])[], position: number): void {
    for (const [seat, state] of changes) this.put(seat, state);
    this.knownAt = position;
    this.emit();
  }

  /** Which seats I have, and which I have asked for and not been answered about. */
  own(mine: Iterable<number>, pending: Iterable<number>): void {
    const [newMine, newPending] = [new Set(mine), new Set(pending)];
    for (const seat of changed(this.mine, newMine)) this.touch(seat);
    for (const seat of changed(this.pending, newPending)) this.touch(seat);
    this.mine = newMine;
    this.pending = newPending;
    this.emit();
  }

  state(seat: number): SeatState {
    if (this.mine.has(seat)) return "mine";
    if (this.pending.has(seat)) return "pending";
    return BY_DIGIT[this.states[seat] ?? 3] ?? "sold";
  }

  isFree = (seat: number): boolean => this.state(seat) === "free";

  /** The last log position that the states cover; nothing before the first snapshot. */
  get position(): number | undefined {
    return this.knownAt;
  }

  /** Free seats in a row, as far as the server's state goes. */
  freeInRow(row: number): number {
    return this.freeByRow[row] ?? 0;
  }

  freeInArea(area: number, fits: (seat: number) => boolean = () => true): number {
    let free = 0;
    for (const block of this.venue.areas[area]?.blocks ?? []) {
      for (const row of block.rows) {
        if (this.freeInRow(row.index) === 0) continue;
        for (const seat of row.seats) if (this.states[seat] === FREE && fits(seat)) free += 1;
      }
    }
    return free;
  }

  /** Free seats of each category, in the plan's order of categories. */
  freeByCategory(): number[] {
    const free = this.venue.plan.categories.map(() => 0);
    this.states.forEach((state, seat) => {
      const category = this.venue.category(seat);
      if (state === FREE) free[category] = (free[category] ?? 0) + 1;
    });
    return free;
  }

  /** Seats that are free and that are sold, in all. */
  counts(): { free: number; sold: number } {
    const counts = { free: 0, sold: 0 };
    for (const state of this.states) {
      if (state === FREE) counts.free += 1;
      else if (state === SOLD) counts.sold += 1;
    }
    return counts;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Rises with every change anywhere. */
  version = (): number => this.versionNow;

  /** Rises with every change in that row. */
  rowVersion(row: number): number {
    return this.rowVersions[row] ?? 0;
  }

  private put(seat: number, state: number): void {
    const before = this.states[seat];
    if (before === undefined || before === state || !(state >= 0 && state < BY_DIGIT.length)) return;
    const row = this.venue.rowOf(seat);
    this.states[seat] = state;
    if (before === FREE) this.freeByRow[row] = (this.freeByRow[row] ?? 1) - 1;
    if (state === FREE) this.freeByRow[row] = (this.freeByRow[row] ?? 0) + 1;
    this.touch(seat);
  }

  private touch(seat: number): void {
    const row = this.venue.rowOf(seat);
    this.rowVersions[row] = (this.rowVersions[row] ?? 0) + 1;
  }

  private recount(): void {
    this.freeByRow.fill(0);
    this.states.forEach((state, seat) => {
      const row = this.venue.rowOf(seat);
      if (state === FREE) this.freeByRow[row] = (this.freeByRow[row] ?? 0) + 1;
    });
  }

  private emit(): void {
    this.versionNow += 1;
    for (const listener of this.listeners) listener();
  }
}

function* changed(before: ReadonlySet<number>, after: ReadonlySet<number>): Iterable<number> {
  for (const seat of before) if (!after.has(seat)) yield seat;
  for (const seat of after) if (!before.has(seat)) yield seat;
}
