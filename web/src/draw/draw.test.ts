import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { check, type Finding, type FinishedDraw, isOver, STEPS } from "./check";
import { genuine, moments, parseSigned, placeOf, type Signed } from "./statement";

/** The example that the program and the one in Python are held to as well. */
const example = JSON.parse(readFileSync(new URL("../../../tests/vectors/draw.json", import.meta.url), "utf8")) as {
  draw: FinishedDraw;
  tickets: string[];
  receipt: Signed;
  receipt_number: number;
};
const { draw, tickets, receipt } = example;

const failed = (findings: Finding[]) => findings.filter(({ holds }) => !holds).map(({ step }) => step);
const other = "1".repeat(64);

describe("a draw worked out again", () => {
  it("holds in every step where nothing was changed", async () => {
    const findings = await check(draw, tickets);
    expect(findings.map(({ step }) => step)).toEqual(STEPS);
    expect(failed(findings)).toEqual([]);
  });

  it("shows an entry that was changed, added, dropped or listed twice", async () => {
    const changed = tickets.with(7, other);
    expect(failed(await check(draw, changed))).toContain("root");
    expect(failed(await check(draw, [...tickets, other]))).toEqual(expect.arrayContaining(["count", "root"]));
    expect(failed(await check(draw, tickets.slice(1)))).toEqual(expect.arrayContaining(["count", "root"]));
    const twice = await check(draw, [...tickets.slice(0, -1), tickets[0] ?? ""]);
    expect(failed(twice)).toEqual(expect.arrayContaining(["distinct", "root"]));
  });

  it("shows two who changed places, and who is the first of them", async () => {
    const [fourth = "", tenth = ""] = [tickets[3], tickets[9]];
    const order = (await check(draw, tickets.with(3, tenth).with(9, fourth))).at(-1);
    expect(order).toEqual({ step: "order", holds: false, wrong: 2, first: 4 });
  });

  it("shows another seed, another beacon, and what was published in another order", async () => {
    expect(failed(await check({ ...draw, seed: other }, tickets))).toEqual(["commitment", "order"]);
    expect(failed(await check({ ...draw, beacon: "another" }, tickets))).toEqual(["order"]);
    expect(failed(await check({ ...draw, committed_position: draw.closed_position }, tickets))).toEqual(["sequence"]);
  });

  it("takes a beacon alone where the seed was lost, and nothing else", async () => {
    const lost = { ...draw, seed_lost_position: draw.closed_position, seed: "00".repeat(32), beacon: "8f3b" };
    expect((await check(lost, tickets)).find(({ step }) => step === "lost")).toMatchObject({
      holds: true,
      value: "8f3b",
    });
    expect(failed(await check({ ...lost, seed: draw.seed }, tickets))).toContain("lost");
    expect(failed(await check({ ...lost, beacon: null }, tickets))).toContain("lost");
  });

  it("is over once the seed is published, and not before", () => {
    expect(isOver(draw)).toBe(true);
    expect(isOver({ ...draw, seed: null, revealed_position: null })).toBe(false);
  });

  it("works a hundred thousand out, and says how far it is", async () => {
    const many = Array.from({ length: 100_000 }, (_, n) => n.toString(16).padStart(64, "0"));
    const shares: number[] = [];
    const findings = await check({ ...draw, entries: many.length }, many, { share: (share) => shares.push(share) });
    expect(failed(findings)).toEqual(["root", "order"]);
    expect(shares).toHaveLength(100);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares.at(-1)).toBe(1);
  }, 60_000);
});

describe("a receipt", () => {
  it("is genuine by the system's key, whatever key it names itself", async () => {
    expect(await genuine(receipt, receipt.key)).toBe("yes");
    expect(
      await genuine(
        { ...receipt, statement: receipt.statement.replace('"position":21', '"position":20') },
        receipt.key,
      ),
    ).toBe("no");
    expect(await genuine({ ...receipt, signature: "no hex" }, receipt.key)).toBe("no");
    const stranger = draw.commitment; // 32 bytes that are somebody else's key, or none
    expect(await genuine({ ...receipt, key: stranger }, stranger)).not.toBe("yes");
  });

  it("isn't judged by a browser that has no Ed25519, and is never genuine by what is no key", async () => {
    expect(await genuine(receipt, "00")).toBe("no");
    const lacking = vi.spyOn(crypto.subtle, "importKey").mockRejectedValue(new DOMException("no", "NotSupportedError"));
    expect(await genuine(receipt, receipt.key)).toBe("unable");
    lacking.mockRestore();
  });

  it("finds its number in the list, or that it was dropped", async () => {
    expect(await placeOf(receipt, draw.commitment, tickets)).toMatchObject({
      itsOwn: true,
      sameCommitment: true,
      number: example.receipt_number,
    });
    const dropped = tickets.toSpliced(example.receipt_number - 1, 1);
    expect((await placeOf(receipt, draw.commitment, dropped))?.number).toBeUndefined();
    const forged = { ...receipt, statement: receipt.statement.replace(/"ticket":"[^"]+"/, `"ticket":"${other}"`) };
    expect((await placeOf(forged, draw.commitment, tickets))?.itsOwn).toBe(false);
    const anothers = {
      ...receipt,
      statement: receipt.statement.replace(/"ticket":"[^"]+"/, `"ticket":"${tickets[0]}"`),
    };
    expect(await placeOf(anothers, draw.commitment, tickets)).toMatchObject({
      itsOwn: false,
      number: example.receipt_number, // of the account and its nonce, whatever ticket is named
    });
    expect((await placeOf(receipt, other, tickets))?.sameCommitment).toBe(false);
  });

  it("is recognised in what someone pastes, and nothing else is", async () => {
    expect(parseSigned(JSON.stringify(receipt))).toEqual(receipt);
    for (const text of ["", "{}", "null", "[]", '{"statement":"x","signature":"y","key":"z"}'])
      expect(parseSigned(text)).toBeUndefined();
    const why = { ...receipt, statement: '{"statement":"socketing.why.v1"}' };
    expect(await placeOf(why, draw.commitment, tickets)).toBeUndefined();
  });
});

describe("the answer to why", () => {
  it("tells what happened in the order of the log, and only what did", () => {
    const why = { number: 3, state: "called", refused_holds: [], stated_at: "2030-05-01T11:00:00Z" } as const;
    expect(moments({ ...why, joined_position: 40, revealed_position: 30 })).toEqual([
      { moment: "revealed", position: 30 },
      { moment: "joined", position: 40 },
    ]);
    const all = moments({
      ...why,
      joined_position: 1,
      revealed_position: 2,
      called_position: 3,
      entered_position: 4,
      departed_position: 5,
    });
    expect(all.map(({ moment }) => moment)).toEqual(["joined", "revealed", "called", "entered", "departed"]);
  });
});
