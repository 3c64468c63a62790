import type { Block } from "./client";

/** The members of `application/problem+json` that the page uses. */
interface ProblemBody {
  code?: unknown;
  status?: unknown;
  title?: unknown;
  hint?: unknown;
  detail?: unknown;
  seats?: unknown;
  alternatives?: unknown;
  blocks?: unknown;
  retry_at?: unknown;
  errors?: unknown;
}

/** A refusal or a failure that the server told us of, by the code of its catalogue. */
export class Problem extends Error {
  readonly code: string;
  readonly status: number;
  /** In English, naming values and bounds; for programmers and logs. */
  readonly detail: string;
  /** The seats that it is about. */
  readonly seats: readonly number[];
  /** Free seats near those, nearest first. */
  readonly alternatives: readonly number[];
  /** Better choices of as many seats, the best first. */
  readonly blocks: readonly Block[];
  /** When it may be tried again, where that is known. */
  readonly retryAt: string | undefined;
  /** How long the server asked us to wait before trying again. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, body: ProblemBody, retryAfterMs?: number) {
    const code = typeof body.code === "string" ? body.code : codeOfStatus(status);
    const detail = typeof body.detail === "string" ? body.detail : "";
    super(`${code}: ${detail}`);
    this.name = "Problem";
    this.code = code;
    this.status = status;
    this.detail = detail;
    this.seats = numbers(body.seats);
    this.alternatives = numbers(body.alternatives);
    this.blocks = blocks(body.blocks);
    this.retryAt = typeof body.retry_at === "string" ? body.retry_at : undefined;
    this.retryAfterMs = retryAfterMs;
  }

  /** Reads the body of a refused request, whatever it turns out to be. */
  static of(response: Response, body: unknown): Problem {
    const known = typeof body === "object" && body !== null ? (body as ProblemBody) : {};
    return new Problem(response.status, known, retryAfterMs(response.headers.get("retry-after")));
  }
}

/** The request got no answer at all: the connection failed, and kept failing. */
export class Unreachable extends Error {
  constructor(cause: unknown) {
    super("the server could not be reached", { cause });
    this.name = "Unreachable";
  }
}

/** True if this is the server's refusal with that code. */
export function isProblem(error: unknown, ...codes: string[]): error is Problem {
  return error instanceof Problem && (codes.length === 0 || codes.includes(error.code));
}

/** `Retry-After` in milliseconds; seconds only, as our servers send it. */
export function retryAfterMs(header: string | null): number | undefined {
  if (header === null || !/^\d{1,6}$/.test(header.trim())) return undefined;
  return Number(header) * 1000;
}

function codeOfStatus(status: number): string {
  if (status === 401) return "unauthenticated";
  if (status === 404) return "not_found";
  return status >= 500 ? "internal" : "invalid";
}

function blocks(value: unknown): readonly Block[] {
  const isBlock = (item: unknown): item is Block =>
    typeof item === "object" && item !== null && "seats" in item && Array.isArray(item.seats) && "kind" in item;
  return Array.isArray(value) ? value.filter(isBlock) : [];
}

function numbers(value: unknown): readonly number[] {
  return Array.isArray(value) ? value.filter((item): item is number => typeof item === "number") : [];
}
