import { notePosition } from "./position";
import { Problem, Unreachable } from "./problem";

/** What `openapi-fetch` answers with. */
export interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** How a request that got no answer, or a busy one, is tried again. */
export interface Patience {
  /** Tries in all. */
  tries: number;
  /** Waits before the next try. */
  pause(ms: number): Promise<void>;
  /** 0 to 1; jitter, so that a crowd doesn't come back at the same instant. */
  random(): number;
}

/** A person's patience: about 10 s of tries before the page says that it can't get through. */
export const patience: Patience = {
  tries: 6,
  pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  random: Math.random,
};

/**
 * Sends a command until it is answered. Every try carries the same Idempotency-Key, so that one whose answer was lost
 * takes effect once. Throws `Problem` for a refusal, `Unreachable` if no try got through.
 */
export async function send<T>(key: string, attempt: (key: string) => Promise<Answer<T>>, how = patience): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    const outcome = await settle(attempt(key));
    if (!(outcome instanceof Problem) && !(outcome instanceof Unreachable)) return noted(outcome.value);
    if (tried >= how.tries || !worthRetrying(outcome)) throw outcome;
    await how.pause(waitMs(outcome, tried, how.random()));
  }
}

/** Sends a query once; React Query tries again. */
export async function read<T>(request: Promise<Answer<T>>): Promise<T> {
  const outcome = await settle(request);
  if (outcome instanceof Problem || outcome instanceof Unreachable) throw outcome;
  return outcome.value;
}

async function settle<T>(request: Promise<Answer<T>>): Promise<{ value: T } | Problem | Unreachable> {
  try {
    const { data, error, response } = await request;
    if (!response.ok) return Problem.of(response, error);
    return { value: data as T };
  } catch (failure) {
    if (failure instanceof DOMException && failure.name === "AbortError") throw failure;
    return new Unreachable(failure);
  }
}

/** Whether the same request may be answered differently a moment later. */
export function worthRetrying(failure: unknown): boolean {
  if (failure instanceof Unreachable) return true;
  return failure instanceof Problem && (failure.status === 502 || failure.status === 503 || failure.status === 504);
}

/** How long to wait before the next try: what the server asked for, else doubling from 300 ms, both with jitter. */
export function waitMs(failure: unknown, tried: number, random: number): number {
  const asked = failure instanceof Problem ? failure.retryAfterMs : undefined;
  const base = asked ?? Math.min(300 * 2 ** (tried - 1), 4000);
  return Math.round(base * (0.75 + random * 0.5));
}

function noted<T>(data: T): T {
  const position = (data as { position?: unknown } | undefined)?.position;
  if (typeof position === "number") notePosition(position);
  return data;
}
