// The draw worked out again in the browser, from what is public alone and with the browser's own SHA-256 and HMAC: a third
// implementation of docs/fair-queue.md, which shares nothing with the system's or with tools/draw_verify.py.

/** What is public of a draw, as far as it matters here. */
export interface PublicDraw {
  commitment: string;
  committed_position: number;
  /** Where the log says that the seed is lost: the beacon alone decides, and the seed is 32 zero bytes. */
  seed_lost_position?: number | null;
  seed_lost_reason?: string | null;
  beacon?: string | null;
  beacon_source?: string | null;
  root?: string | null;
  entries?: number | null;
  closed_position?: number | null;
  seed?: string | null;
  revealed_position?: number | null;
}

/** A draw that is over: everything of it is published. */
export interface FinishedDraw extends PublicDraw {
  root: string;
  entries: number;
  closed_position: number;
  seed: string;
  revealed_position: number;
}

/** What was looked at, whether it is as it must be, and what was found. */
export type Finding = { holds: boolean } & (
  | { step: "commitment"; ours: string; published: string }
  | { step: "lost"; position: number; reason: string; source: string; value: string }
  | { step: "sequence"; committed: number; closed: number; revealed: number }
  | { step: "count"; listed: number; drawn: number }
  | { step: "distinct"; twice: number }
  | { step: "root"; ours: string; published: string }
  | { step: "order"; wrong: number; first: number | undefined }
);

export type Step = Finding["step"];

/** The steps, in the order in which they are taken; where the seed was lost, that instead of the first. */
export const STEPS: readonly Step[] = ["commitment", "sequence", "count", "distinct", "root", "order"];

/** The seed of a draw whose own was lost. */
const NO_SEED = "00".repeat(32);

/** Scores between two words on how far it is. */
const CHUNK = 1_000;

export function isOver(draw: PublicDraw): draw is FinishedDraw {
  return [draw.root, draw.entries, draw.closed_position, draw.seed, draw.revealed_position].every(
    (part) => part != null,
  );
}

/**
 * Looks at every step. `tickets` stand in the order that the draw is said to have given them; `tell` hears of each finding
 * as it is made, and of the share of the scores that is worked out.
 */
export async function check(
  draw: FinishedDraw,
  tickets: readonly string[],
  tell: { finding?: (finding: Finding) => void; share?: (share: number) => void } = {},
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const found = (finding: Finding) => {
    findings.push(finding);
    tell.finding?.(finding);
  };
  found(draw.seed_lost_position == null ? await committed(draw) : lost(draw, draw.seed_lost_position));
  const [first, closed, revealed] = [draw.committed_position, draw.closed_position, draw.revealed_position];
  found({ step: "sequence", holds: first < closed && closed < revealed, committed: first, closed, revealed });
  const listed = tickets.length;
  found({ step: "count", holds: listed === draw.entries, listed, drawn: draw.entries });
  const twice = listed - new Set(tickets).size;
  found({ step: "distinct", holds: twice === 0, twice });
  const root = await rootOf(tickets);
  found({ step: "root", holds: root === draw.root, ours: root, published: draw.root });
  const order = await orderOf(draw, tickets, tell.share);
  const wrong = order.flatMap((ticket, at) => (ticket === tickets[at] ? [] : [at + 1]));
  found({ step: "order", holds: wrong.length === 0, wrong: wrong.length, first: wrong[0] });
  return findings;
}

async function committed(draw: FinishedDraw): Promise<Finding> {
  const ours = await sha256(bytes(draw.seed));
  return { step: "commitment", holds: ours === draw.commitment, ours, published: draw.commitment };
}

function lost(draw: FinishedDraw, position: number): Finding {
  const [source, value] = [draw.beacon_source ?? "", draw.beacon ?? ""];
  const holds = draw.seed === NO_SEED && value !== "" && position < draw.revealed_position;
  return { step: "lost", holds, position, reason: draw.seed_lost_reason ?? "", source, value };
}

/** A place in the draw, from the account and the nonce that its own client chose. */
export function ticketOf(account: string, nonce: string): Promise<string> {
  return sha256(new TextEncoder().encode(`socketing-ticket-v1:${account}:${nonce}`));
}

async function rootOf(tickets: readonly string[]): Promise<string> {
  return sha256(joined([new TextEncoder().encode("socketing-draw-v1\n"), ...[...tickets].sort().map(bytes)]));
}

/** The tickets by ascending score. Hex sorts as the bytes do. */
async function orderOf(
  draw: FinishedDraw,
  tickets: readonly string[],
  share: ((share: number) => void) | undefined,
): Promise<string[]> {
  const secret = joined([bytes(draw.seed), bytes(draw.root), new TextEncoder().encode(draw.beacon ?? "")]);
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const scored: { score: string; ticket: string }[] = [];
  for (let from = 0; from < tickets.length; from += CHUNK) {
    const chunk = tickets.slice(from, from + CHUNK);
    const scores = chunk.map(async (ticket) => hex(await crypto.subtle.sign("HMAC", key, bytes(ticket))));
    for (const [at, score] of (await Promise.all(scores)).entries()) scored.push({ score, ticket: chunk[at] ?? "" });
    share?.(scored.length / tickets.length);
  }
  scored.sort((a, b) => compare(a.score, b.score) || compare(a.ticket, b.ticket));
  return scored.map(({ ticket }) => ticket);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function sha256(data: Uint8Array<ArrayBuffer>): Promise<string> {
  return hex(await crypto.subtle.digest("SHA-256", data));
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The bytes of a text in hex; what isn't hex is an error, for it is no digest. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new Error(`not lower-case hex: ${text.slice(0, 80)}`);
  const whole = new Uint8Array(text.length / 2);
  for (let at = 0; at < whole.length; at += 1) whole[at] = Number.parseInt(text.slice(2 * at, 2 * at + 2), 16);
  return whole;
}

function hex(data: ArrayBuffer): string {
  return [...new Uint8Array(data)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
