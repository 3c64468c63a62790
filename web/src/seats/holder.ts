import type { Hold } from "../api/client";

/** How the holder reaches the server. */
export interface HoldApi {
  hold(seats: readonly number[]): Promise<Hold>;
  release(hold: string): Promise<unknown>;
}

export interface HoldView {
  /** What the server gave us. */
  hold: Hold | null;
  /** Seats asked for and not answered yet. */
  pending: readonly number[];
}

/**
 * Turns taps on seats into holds. A tap asks for all the seats that are wanted then, in one command, since a hold is all
 * or nothing and a new one takes the old one's place. One command is under way at a time; what is tapped meanwhile is
 * asked for next.
 */
export class Holder {
  private current: Hold | null = null;
  private wanted: readonly number[] = [];
  private busy = false;

  constructor(
    private readonly api: HoldApi,
    private readonly onChange: (view: HoldView) => void,
    private readonly onFailure: (failure: unknown, asked: readonly number[]) => void,
    /** A hold has gone, and not by a command of ours. */
    private readonly onLost: (hold: Hold) => void,
  ) {}

  /** Takes what the server says we hold: after a reload, when it ran out, or when a friend of the party chose. */
  adopt(hold: Hold | null): void {
    if (this.busy) return; // our own command is under way; its answer is newer
    const lost = hold === null ? this.current : null;
    this.put(hold);
    if (lost) this.onLost(lost);
  }

  /** The hold has become a booking: it is gone, but not lost. */
  booked(): void {
    this.put(null);
  }

  private put(hold: Hold | null): void {
    this.current = hold;
    this.wanted = hold?.seats ?? [];
    this.tell();
  }

  get hold(): Hold | null {
    return this.current;
  }

  /** The seats that are held or asked for. */
  get seats(): readonly number[] {
    return this.wanted;
  }

  add(seats: readonly number[]): void {
    this.want([...this.wanted, ...seats.filter((seat) => !this.wanted.includes(seat))]);
  }

  /** These instead of what was wanted before; what is held is let go only when they are. */
  exchange(seats: readonly number[]): void {
    this.want(seats);
  }

  /** Asks for seats that the server chooses; what is held is let go only when there are some. */
  async choose(ask: () => Promise<Hold>): Promise<void> {
    if (this.busy) return; // a tap is being asked for; its answer comes first
    this.busy = true;
    try {
      this.current = await ask();
    } catch (failure) {
      this.onFailure(failure, []);
    } finally {
      this.busy = false;
    }
    this.put(this.current);
  }

  remove(seat: number): void {
    this.want(this.wanted.filter((other) => other !== seat));
  }

  clear(): void {
    this.want([]);
  }

  private want(seats: readonly number[]): void {
    this.wanted = seats;
    this.tell();
    void this.settle();
  }

  /** Sends commands until the server's state is what is wanted, or refuses. */
  private async settle(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      while (!same(this.wanted, this.current?.seats ?? [])) await this.step(this.wanted);
    } finally {
      this.busy = false;
      this.tell();
    }
  }

  private async step(asked: readonly number[]): Promise<void> {
    try {
      if (asked.length > 0) this.current = await this.api.hold(asked);
      else if (this.current) {
        await this.api.release(this.current.hold_id);
        this.current = null;
      }
    } catch (failure) {
      const added = asked.filter((seat) => !(this.current?.seats ?? []).includes(seat));
      this.wanted = this.current?.seats ?? [];
      this.onFailure(failure, added);
    }
    this.tell();
  }

  private tell(): void {
    const held = this.current?.seats ?? [];
    this.onChange({ hold: this.current, pending: this.wanted.filter((seat) => !held.includes(seat)) });
  }
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((seat) => b.includes(seat));
}
