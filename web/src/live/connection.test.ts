import { beforeEach, describe, expect, it } from "vitest";
import { ServerClock } from "./clock";
import { LiveConnection, type Socket } from "./connection";

/** A server's end of a connection, and time, in the test's hands. */
class Stage {
  now = 0;
  sockets: FakeSocket[] = [];
  private timers: { at: number; run: () => void; id: number }[] = [];
  private nextTimer = 1;
  readonly clock = new ServerClock(() => this.now);
  readonly live = new LiveConnection(
    {
      open: () => {
        const socket = new FakeSocket();
        this.sockets.push(socket);
        return socket;
      },
      now: () => this.now,
      random: () => 1,
      later: (run, ms) => {
        const id = this.nextTimer;
        this.nextTimer += 1;
        this.timers.push({ at: this.now + ms, run, id });
        return id;
      },
      cancel: (timer) => {
        this.timers = this.timers.filter(({ id }) => id !== timer);
      },
    },
    this.clock,
  );

  get socket(): FakeSocket {
    const last = this.sockets.at(-1);
    if (!last) throw new Error("nothing has connected");
    return last;
  }

  /** Lets time pass, with every timer at its moment. */
  pass(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const due = this.timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.timers = this.timers.filter(({ id }) => id !== due.id);
      this.now = due.at;
      due.run();
    }
    this.now = until;
  }

  hello(): void {
    this.socket.say({ type: "hello", now: new Date(this.now).toISOString(), position: 1 });
  }
}

class FakeSocket implements Socket {
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  heard: Record<string, unknown>[] = [];
  closed = false;

  send(text: string): void {
    this.heard.push(JSON.parse(text) as Record<string, unknown>);
  }
  close(): void {
    this.closed = true;
  }
  say(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  break(): void {
    this.onclose?.();
  }
  subscriptions(): Record<string, unknown>[] {
    return this.heard.filter(({ type }) => type === "subscribe");
  }
}

let stage: Stage;
let seen: [string, number][];
const follower = {
  onMessage: (kind: string, _body: unknown, position: number) => {
    seen.push([kind, position]);
  },
};
const seats = { topic: "seats", performance: "p" } as const;

beforeEach(() => {
  stage = new Stage();
  seen = [];
});

describe("the live connection", () => {
  it("connects for the first follower only, and asks after the greeting", () => {
    expect(stage.sockets).toHaveLength(0);
    stage.live.follow(seats, follower);
    stage.live.follow({ topic: "me" }, follower);
    expect(stage.sockets).toHaveLength(1);
    expect(stage.socket.heard).toEqual([]);
    stage.hello();
    expect(stage.live.getStatus()).toBe("open");
    expect(stage.socket.heard).toEqual([
      { type: "subscribe", id: 1, topic: "seats", performance: "p" },
      { type: "subscribe", id: 2, topic: "me" },
    ]);
  });

  it("resumes after the last position that it saw, for each subscription its own", () => {
    stage.live.follow(seats, follower);
    stage.live.follow({ topic: "line", performance: "p", number: 7 }, follower);
    stage.hello();
    stage.socket.say({ type: "snapshot", id: 1, position: 40, seats: "00" });
    stage.socket.say({ type: "delta", id: 1, position: 44, changes: [[0, 1]] });
    stage.socket.say({ type: "snapshot", id: 2, position: 41 });
    stage.socket.break();
    expect(stage.live.getStatus()).toBe("lost");
    stage.pass(5000);
    stage.hello();
    expect(stage.socket.subscriptions()).toEqual([
      { type: "subscribe", id: 1, topic: "seats", performance: "p", after: 44 },
      { type: "subscribe", id: 2, topic: "line", performance: "p", number: 7, after: 41 },
    ]);
  });

  it("passes each position on once, and a snapshot always", () => {
    stage.live.follow(seats, follower);
    stage.hello();
    stage.socket.say({ type: "snapshot", id: 1, position: 10 });
    stage.socket.say({ type: "delta", id: 1, position: 11 });
    stage.socket.say({ type: "delta", id: 1, position: 11 });
    stage.socket.say({ type: "delta", id: 1, position: 9 });
    stage.socket.say({ type: "snapshot", id: 1, position: 11 });
    expect(seen).toEqual([
      ["snapshot", 10],
      ["delta", 11],
      ["snapshot", 11],
    ]);
  });

  it("waits longer after each failure, up to a bound, and not after a success", () => {
    stage.live.follow(seats, follower);
    const waits: number[] = [];
    for (let failure = 0; failure < 9; failure += 1) {
      stage.socket.break();
      const [count, from] = [stage.sockets.length, stage.now];
      while (stage.sockets.length === count) stage.pass(50);
      waits.push(stage.now - from);
    }
    expect(waits).toEqual([300, 600, 1200, 2400, 4800, 9600, 15_000, 15_000, 15_000]);
    stage.hello();
    stage.socket.break();
    stage.pass(300);
    expect(stage.sockets).toHaveLength(11);
  });

  it("notices a connection that died in silence", () => {
    stage.live.follow(seats, follower);
    stage.hello();
    stage.pass(20_000);
    expect(stage.socket.heard.at(-1)).toEqual({ type: "ping" });
    stage.socket.say({ type: "pong", now: new Date(stage.now).toISOString() });
    stage.pass(20_000);
    expect(stage.live.getStatus()).toBe("open");
    stage.pass(10_000); // no pong this time
    expect(stage.live.getStatus()).toBe("lost");
  });

  it("learns the server's clock from greetings and pongs", () => {
    stage.live.follow(seats, follower);
    stage.socket.say({ type: "hello", now: new Date(60_000).toISOString(), position: 1 });
    expect(stage.clock.now()).toBe(60_000);
  });

  it("goes away when told to, and comes back as late as told", () => {
    stage.live.follow(seats, follower);
    stage.hello();
    stage.socket.say({ type: "reconnect", after_ms: 2000 });
    expect(stage.sockets[0]?.closed).toBe(true);
    stage.pass(1999);
    expect(stage.sockets).toHaveLength(1);
    stage.pass(400);
    expect(stage.sockets).toHaveLength(2);
  });

  it("asks again after a passing refusal, and tells the follower of one that stands", () => {
    const refused: string[] = [];
    const telling = { ...follower, onRefused: (code: string) => void refused.push(code) };
    stage.live.follow(seats, telling);
    stage.live.follow({ topic: "me" }, telling);
    stage.hello();
    stage.socket.say({ type: "snapshot", id: 1, position: 10 });
    stage.socket.say({ type: "error", id: 1, code: "unavailable" });
    stage.socket.say({ type: "error", id: 2, code: "unauthenticated" });
    stage.pass(3000);
    expect(refused).toEqual(["unauthenticated"]);
    expect(stage.socket.subscriptions().at(-1)).toEqual({
      type: "subscribe",
      id: 1,
      topic: "seats",
      performance: "p",
      after: 10,
    });
    stage.socket.say({ type: "error", id: 1, code: "position_unknown" });
    stage.pass(3000);
    expect(stage.socket.subscriptions().at(-1)).not.toHaveProperty("after");
  });

  it("lets go when nobody follows, and ignores what still comes", () => {
    const stop = stage.live.follow(seats, follower);
    stage.hello();
    const { socket } = stage;
    stop();
    expect(socket.heard.at(-1)).toEqual({ type: "unsubscribe", id: 1 });
    expect(socket.closed).toBe(true);
    socket.say({ type: "delta", id: 1, position: 99 });
    expect(seen).toEqual([]);
    expect(stage.live.getStatus()).toBe("idle");
  });

  it("starts afresh as someone else", () => {
    stage.live.follow(seats, follower);
    stage.hello();
    stage.socket.say({ type: "snapshot", id: 1, position: 10 });
    stage.live.restart();
    stage.hello();
    expect(stage.sockets).toHaveLength(2);
    expect(stage.socket.subscriptions()).toEqual([{ type: "subscribe", id: 1, topic: "seats", performance: "p" }]);
  });

  it("comes back at once when the device wakes", () => {
    stage.live.follow(seats, follower);
    for (let failure = 0; failure < 6; failure += 1) {
      stage.socket.break();
      stage.pass(20_000);
    }
    stage.socket.break();
    const before = stage.sockets.length;
    stage.live.wake();
    expect(stage.sockets).toHaveLength(before + 1);
  });

  it("doesn't fall over what it doesn't understand", () => {
    stage.live.follow(seats, follower);
    stage.hello();
    for (const text of [
      "",
      "[]",
      "null",
      '{"type":"delta"}',
      '{"type":"novelty","id":1}',
      '{"type":"snapshot","id":"1"}',
    ]) {
      stage.socket.onmessage?.({ data: text });
    }
    stage.socket.onmessage?.({ data: new ArrayBuffer(4) });
    expect(seen).toEqual([]);
    expect(stage.live.getStatus()).toBe("open");
  });
});
