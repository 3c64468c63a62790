import { useEffect, useRef, useState } from "react";
import { drawTickets, TICKETS_PAGE } from "../api/queries";
import type { Finding, FinishedDraw } from "../draw/check";
import type { Asked, Told } from "../draw/worker";

/** How far the check is. */
export interface Checking {
  phase: "idle" | "fetching" | "working" | "done";
  /** Tickets that have come. */
  got: number;
  /** The share of the scores that is worked out. */
  share: number;
  findings: readonly Finding[];
  failure: unknown;
}

const IDLE: Checking = { phase: "idle", got: 0, share: 0, findings: [], failure: undefined };

/** Works a draw out again: once when asked, and the tickets stay for receipts. Leaving the page ends it. */
export function useDrawCheck(performance: string) {
  const [now, setNow] = useState(IDLE);
  const [tickets, setTickets] = useState<readonly string[]>();
  const under = useRef<AbortController>(undefined);
  useEffect(() => () => under.current?.abort(), []);

  async function run(draw: FinishedDraw): Promise<void> {
    under.current?.abort();
    const mine = new AbortController();
    under.current = mine;
    const { signal } = mine;
    const put = (change: (before: Checking) => Partial<Checking>) => {
      signal.throwIfAborted();
      setNow((before) => ({ ...before, ...change(before) }));
    };
    try {
      put(() => ({ ...IDLE, phase: "fetching" }));
      const all = await fetchAll(performance, draw, signal, (got) => put(() => ({ got })));
      setTickets(all);
      put(() => ({ phase: "working" }));
      await checkAside({ draw, tickets: all }, signal, (told) => {
        if ("finding" in told) put(({ findings }) => ({ findings: [...findings, told.finding] }));
        if ("share" in told) put(() => ({ share: told.share }));
      });
      put(() => ({ phase: "done" }));
    } catch (failure) {
      if (!signal.aborted) setNow({ ...IDLE, failure });
    }
  }
  return { now, tickets, run };
}

/** All tickets, in order. One more than were drawn is proof enough that there are too many. */
async function fetchAll(
  performance: string,
  { entries }: FinishedDraw,
  signal: AbortSignal,
  tell: (got: number) => void,
): Promise<string[]> {
  const all: string[] = [];
  while (all.length <= entries) {
    const page = await drawTickets(performance, all.length, signal);
    for (const ticket of page) all.push(ticket);
    tell(all.length);
    if (page.length < TICKETS_PAGE) break;
  }
  return all;
}

/** Checks in a thread of its own, which ends with the answer, or when nobody waits for it any more. */
function checkAside(asked: Asked, signal: AbortSignal, tell: (told: Told) => void): Promise<void> {
  const worker = new Worker(new URL("../draw/worker.ts", import.meta.url), { type: "module" });
  const answer = new Promise<void>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    worker.onerror = () => reject(new Error("the thread of the check can't run"));
    worker.onmessage = ({ data }: MessageEvent<Told>) => {
      if (signal.aborted) return;
      if ("done" in data) resolve();
      else if ("failed" in data) reject(new Error(data.failed));
      else tell(data);
    };
    worker.postMessage(asked);
  });
  return answer.finally(() => worker.terminate());
}
