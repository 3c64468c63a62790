import { Problem } from "./problem";

/** The sandbox's cards, by what they do. A card's number is never typed here: its provider alone would take one. */
export const TEST_CARDS = ["approved", "declined"] as const;
export type TestCard = (typeof TEST_CARDS)[number];

const PATIENCE_MS = 10_000;

/** A token that stands for the card, once, from the provider itself. Nothing is charged by asking for it. */
export async function cardToken(tokensUrl: string | undefined, card: TestCard): Promise<string> {
  if (tokensUrl === undefined) throw unavailable();
  const body = JSON.stringify({ card });
  const headers = { "content-type": "application/json" };
  try {
    const answer = await fetch(tokensUrl, {
      method: "POST",
      headers,
      body,
      credentials: "omit",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const { token } = (await answer.json()) as { token?: unknown };
    if (answer.ok && typeof token === "string") return token;
  } catch {
    // Whatever kept it from us, the buyer can choose another way.
  }
  throw unavailable();
}

const unavailable = () => new Problem(409, { code: "method_unavailable" });
