import type { Remaining, ShowSummary } from "../api/client";

export type ShowStatus = "soon" | "onSale" | "few" | "soldOut" | "ended";

/** Below this share, a performance has few seats left. */
const FEW = 0.1;

/** Seats of a show or a performance, and how many are free. */
export interface Seats {
  seats: number;
  free: number;
}

export function seatsOf(remaining: readonly Remaining[]): Seats {
  return remaining.reduce((sum, { seats, free }) => ({ seats: sum.seats + seats, free: sum.free + free }), {
    seats: 0,
    free: 0,
  });
}

/** The seats of all dates still to come; nothing if the list doesn't tell. */
export function seatsOfShow(show: ShowSummary, nowMs: number): Seats | undefined {
  const dates = show.performances.filter(({ starts_at }) => Date.parse(starts_at) > nowMs);
  if (dates.length === 0 || dates.some(({ seats, free }) => seats == null || free == null)) return undefined;
  return dates.reduce((sum, { seats, free }) => ({ seats: sum.seats + (seats ?? 0), free: sum.free + (free ?? 0) }), {
    seats: 0,
    free: 0,
  });
}

/** How a show stands, by the server's clock. */
export function statusOf(
  { opensAt, lastStart, seats }: { opensAt: string; lastStart: string | undefined; seats: Seats | undefined },
  nowMs: number,
): ShowStatus {
  if (lastStart === undefined || Date.parse(lastStart) <= nowMs) return "ended";
  if (Date.parse(opensAt) > nowMs) return "soon";
  if (!seats || seats.seats === 0) return "onSale";
  if (seats.free === 0) return "soldOut";
  return seats.free / seats.seats < FEW ? "few" : "onSale";
}

/** First and last date of a show. */
export function span(show: ShowSummary): { first: string; last: string } | undefined {
  const starts = show.performances.map(({ starts_at }) => starts_at).sort((a, b) => Date.parse(a) - Date.parse(b));
  const [first, last] = [starts[0], starts.at(-1)];
  return first !== undefined && last !== undefined ? { first, last } : undefined;
}

/** Lowest and highest price. */
export function priceRange(prices: readonly { price: number }[]): { low: number; high: number } | undefined {
  if (prices.length === 0) return undefined;
  const all = prices.map(({ price }) => price);
  return { low: Math.min(...all), high: Math.max(...all) };
}
