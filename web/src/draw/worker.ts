// The check in a thread of its own: the page stays quick, however many tickets there are.

import { check, type Finding, type FinishedDraw } from "./check";

/** What the thread is asked. */
export interface Asked {
  draw: FinishedDraw;
  tickets: readonly string[];
}

/** What it tells: findings and the share of the work as they come, and once that it is done or has failed. */
export type Told = { finding: Finding } | { share: number } | { done: true } | { failed: string };

const tell = (told: Told) => postMessage(told);

addEventListener("message", ({ data: { draw, tickets } }: MessageEvent<Asked>) => {
  const telling = { finding: (finding: Finding) => tell({ finding }), share: (share: number) => tell({ share }) };
  check(draw, tickets, telling).then(
    () => tell({ done: true }),
    (failure: unknown) => tell({ failed: String(failure) }),
  );
});
