// Statements that the system has signed: receipts, and answers to "why".

import { bytes, ticketOf } from "./check";

/** A statement and its signature, as the API gives it. */
export interface Signed {
  /** JSON, as a text: what is signed. */
  statement: string;
  /** Ed25519, in hex. */
  signature: string;
  /** The public key, in hex. */
  key: string;
}

/** Whether the key's owner has signed; `unable` where the browser has no Ed25519. */
export type Genuine = "yes" | "no" | "unable";

/** Reads what someone pasted, or nothing if it is no signed statement. */
export function parseSigned(text: string): Signed | undefined {
  try {
    const { statement, signature, key } = JSON.parse(text) as Record<string, unknown>;
    const texts = typeof statement === "string" && typeof signature === "string" && typeof key === "string";
    return texts && isRecord(JSON.parse(statement)) ? { statement, signature, key } : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Checks the signature with the key that was published, whatever key the statement names. */
export async function genuine(signed: Signed, publishedKey: string): Promise<Genuine> {
  let key: CryptoKey;
  try {
    key = await crypto.subtle.importKey("raw", bytes(publishedKey), { name: "Ed25519" }, false, ["verify"]);
  } catch (failure) {
    return failure instanceof DOMException && failure.name === "NotSupportedError" ? "unable" : "no";
  }
  try {
    const said = new TextEncoder().encode(signed.statement);
    return (await crypto.subtle.verify({ name: "Ed25519" }, key, bytes(signed.signature), said)) ? "yes" : "no";
  } catch {
    return "no"; // a signature that isn't hex is none
  }
}

/** What a receipt says of its ticket, held to the list. */
export interface Place {
  /** Of which performance it is. */
  performance: string | undefined;
  /** Whether its ticket is the one of its account and nonce. */
  itsOwn: boolean;
  /** Whether it names the commitment that was published. */
  sameCommitment: boolean;
  /** The number that its ticket got; nothing if it isn't in the list. */
  number: number | undefined;
}

/** Finds a receipt's ticket, which is made again from its account and nonce, in the list; nothing if it is no receipt. */
export async function placeOf(
  { statement }: Signed,
  commitment: string,
  tickets: readonly string[],
): Promise<Place | undefined> {
  const said = JSON.parse(statement) as Record<string, unknown>;
  const { account_id, entry_id, ticket, performance_id } = said;
  if (typeof account_id !== "string" || typeof entry_id !== "string" || typeof ticket !== "string") return undefined;
  const ours = await ticketOf(account_id, entry_id);
  const at = tickets.indexOf(ours);
  return {
    performance: typeof performance_id === "string" ? performance_id : undefined,
    itsOwn: ours === ticket,
    sameCommitment: said.commitment === commitment,
    number: at < 0 ? undefined : at + 1,
  };
}

/** What is stated in the answer to "why". Positions are those of the log. */
export interface Why {
  /** 0 in the lobby. */
  number: number;
  state: "lobby" | "waiting" | "called" | "inside" | "gone";
  joined_position: number;
  called_position?: number;
  entered_position?: number;
  departed_position?: number;
  departure?: string;
  revealed_position?: number;
  /** The latest first. */
  refused_holds: readonly RefusedHold[];
  stated_at: string;
}

/** A hold that was refused. */
export interface RefusedHold {
  decided_at_position: number;
  /** Of the earlier event that was the cause; whose it was isn't told. */
  cause_position?: number;
  code: string;
  seats?: readonly number[] | null;
  at: string;
}

/** Something that happened to one's place. */
export type Moment = "joined" | "revealed" | "called" | "entered" | "departed";

/** What happened to one's place, in the order of the log. */
export function moments(why: Why): { moment: Moment; position: number }[] {
  const all: [Moment, number | undefined][] = [
    ["joined", why.joined_position],
    ["revealed", why.revealed_position],
    ["called", why.called_position],
    ["entered", why.entered_position],
    ["departed", why.departed_position],
  ];
  return all
    .flatMap(([moment, position]) => (position === undefined ? [] : [{ moment, position }]))
    .sort((a, b) => a.position - b.position);
}

/** What a signed statement says. */
export function said<T>(signed: Signed): T {
  return JSON.parse(signed.statement) as T;
}
