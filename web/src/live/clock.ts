// The server's clock: every countdown runs by it, so that a wrong clock on the fan's device changes nothing.

interface Sample {
  offsetMs: number;
  rttMs: number;
  takenAt: number;
}

/** Samples older than this are dropped: device clocks drift and are set. */
const SAMPLE_LIFE_MS = 10 * 60_000;
const SAMPLES_MAX = 8;

/** Estimates the server's clock from messages that carry its time; the one with the shortest round trip counts. */
export class ServerClock {
  private samples: Sample[] = [];

  constructor(private readonly local: () => number = Date.now) {}

  /** Takes a time that the server told, asked for at `sentAt` by the local clock and received now. */
  sample(serverTime: string, sentAt: number): void {
    const server = Date.parse(serverTime);
    if (Number.isNaN(server)) return;
    const receivedAt = this.local();
    const rttMs = Math.max(0, receivedAt - sentAt);
    const fresh = this.samples.filter((sample) => Math.abs(receivedAt - sample.takenAt) < SAMPLE_LIFE_MS);
    fresh.push({ offsetMs: server + rttMs / 2 - receivedAt, rttMs, takenAt: receivedAt });
    this.samples = fresh.slice(-SAMPLES_MAX);
  }

  /** The server's time now, in milliseconds since 1970; the local time until the server told its own. */
  now(): number {
    return this.local() + this.offsetMs();
  }

  /** What to add to the local clock. */
  offsetMs(): number {
    let best: Sample | undefined;
    for (const sample of this.samples) if (!best || sample.rttMs < best.rttMs) best = sample;
    return best?.offsetMs ?? 0;
  }
}

/** What is left until a deadline. */
export interface Remaining {
  /** Whole seconds, rounded up: "1" is shown until the very end; 0 means over. */
  seconds: number;
  over: boolean;
}

/** What is left of the time until `deadlineMs`. */
export function remaining(deadlineMs: number, nowMs: number): Remaining {
  const leftMs = Math.max(0, deadlineMs - nowMs);
  return { seconds: Math.ceil(leftMs / 1000), over: leftMs === 0 };
}

/** Milliseconds until the shown second changes; the next tick belongs there, so that no second is skipped or late. */
export function untilNextTick(deadlineMs: number, nowMs: number): number {
  const leftMs = deadlineMs - nowMs;
  if (leftMs <= 0) return 1000;
  const past = leftMs % 1000;
  return past === 0 ? 1000 : past;
}

/** Days, hours, minutes and seconds of a duration, for display. */
export function parts(seconds: number): { days: number; hours: number; minutes: number; seconds: number } {
  return {
    days: Math.floor(seconds / 86_400),
    hours: Math.floor((seconds % 86_400) / 3600),
    minutes: Math.floor((seconds % 3600) / 60),
    seconds: seconds % 60,
  };
}

/** `2:05`, or `1:02:05` from an hour on. */
export function clockText(seconds: number): string {
  const { days, hours, minutes, seconds: rest } = parts(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  const allHours = days * 24 + hours;
  return allHours > 0 ? `${allHours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** The moments at which a countdown is read out, in seconds left (WCAG 2.2.1). */
export const ANNOUNCED_SECONDS = [60, 30, 10] as const;

/** Which announcement is due when the countdown goes from `before` to `after` seconds; none twice, the latest if several. */
export function announcementDue(before: number, after: number): number | undefined {
  let due: number | undefined;
  for (const mark of ANNOUNCED_SECONDS) if (before > mark && after <= mark && after > 0) due = mark;
  return due;
}
