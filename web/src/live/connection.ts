import type { ServerClock } from "./clock";
import { parseMessage, type ServerMessage, type Topic } from "./protocol";

export const SUBPROTOCOL = "socketing.v1.json";

/** The part of a WebSocket that is used here. */
export interface Socket {
  send(text: string): void;
  close(code?: number): void;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
}

/** What the connection needs from its surroundings; tests give their own. */
export interface Surroundings {
  open(): Socket;
  now(): number;
  random(): number;
  later(run: () => void, ms: number): unknown;
  cancel(timer: unknown): void;
}

export type Status = "idle" | "connecting" | "open" | "lost";

export interface Follower {
  /** The whole state, or what happened since the last message; `position` is the last log position that it covers. */
  onMessage(kind: "snapshot" | "delta", body: Record<string, unknown>, position: number): void;
  /** The server won't serve this topic. */
  onRefused?(code: string): void;
}

/** What is followed. */
export interface Request {
  topic: Topic;
  /** Whose seats or line. */
  performance?: string;
  /** One's own number in the line: the snapshot then says how many wait ahead of it. */
  number?: number;
}

interface Subscription {
  id: number;
  request: Request;
  follower: Follower;
  /** The last position seen: a new connection resumes after it. */
  after: number | undefined;
}

const PING_EVERY_MS = 20_000;
const PONG_WITHIN_MS = 10_000;
/** Refusals of a subscription that pass by themselves: it is asked for again. Others stand. */
const PASSING = new Set(["busy", "unavailable", "projection_behind", "position_unknown"]);
const ASK_AGAIN_MS = 1500;
const BACKOFF_FIRST_MS = 300;
const BACKOFF_MAX_MS = 15_000;

/** One WebSocket for the page: opens when something is followed, comes back by itself, resumes where it was. */
export class LiveConnection {
  private socket: Socket | undefined;
  private status: Status = "idle";
  private readonly subscriptions = new Map<number, Subscription>();
  private readonly listeners = new Set<() => void>();
  private nextId = 1;
  private failures = 0;
  private timer: unknown;
  private pingSentAt = 0;
  private openedAt = 0;

  constructor(
    private readonly around: Surroundings,
    private readonly clock: ServerClock,
  ) {}

  /** Follows a topic until the returned function is called. */
  follow(request: Request, follower: Follower): () => void {
    const subscription: Subscription = { id: this.nextId, request, follower, after: undefined };
    this.nextId += 1;
    this.subscriptions.set(subscription.id, subscription);
    if (this.status === "open") this.ask(subscription);
    else if (this.status === "idle") this.connect();
    return () => {
      if (!this.subscriptions.delete(subscription.id)) return;
      if (this.status === "open") this.say({ type: "unsubscribe", id: subscription.id });
      if (this.subscriptions.size === 0) this.stop();
    };
  }

  /** Comes back on a new connection: who we are has changed. */
  restart(): void {
    if (this.subscriptions.size === 0) return;
    for (const subscription of this.subscriptions.values()) subscription.after = undefined;
    this.drop();
    this.failures = 0;
    this.connect();
  }

  /** The device is back online or the page in front: don't wait for the next beat. */
  wake(): void {
    if (this.status === "lost") {
      this.around.cancel(this.timer);
      this.connect();
    } else if (this.status === "open") {
      this.around.cancel(this.timer);
      this.ping();
    }
  }

  getStatus = (): Status => this.status;

  onStatus = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  private connect(): void {
    this.openedAt = this.around.now();
    const socket = this.around.open();
    this.socket = socket;
    if (this.status !== "lost") this.become("connecting"); // a lost connection is shown as lost until it is back
    this.timer = this.around.later(() => this.lose(), PONG_WITHIN_MS);
    socket.onmessage = ({ data }) => {
      const message = typeof data === "string" ? parseMessage(data) : undefined;
      if (message) this.take(message);
    };
    socket.onclose = () => this.lose();
  }

  private take(message: ServerMessage): void {
    switch (message.type) {
      case "hello":
        this.clock.sample(message.now, this.openedAt);
        this.failures = 0;
        this.become("open");
        for (const subscription of this.subscriptions.values()) this.ask(subscription);
        this.beat();
        return;
      case "pong":
        this.clock.sample(message.now, this.pingSentAt);
        this.beat();
        return;
      case "reconnect":
        this.lose(message.after_ms);
        return;
      case "error":
        this.refuse(message.id, message.code);
        return;
      default:
        this.deliver(message);
    }
  }

  private deliver(message: ServerMessage & { type: "snapshot" | "delta" }): void {
    const subscription = this.subscriptions.get(message.id);
    if (!subscription) return; // unsubscribed while it was under way
    const known = subscription.after;
    if (message.type === "delta" && known !== undefined && message.position <= known) return; // seen already
    subscription.after = message.position;
    subscription.follower.onMessage(message.type, message, message.position);
  }

  private refuse(id: number | undefined, code: string): void {
    const subscription = id === undefined ? undefined : this.subscriptions.get(id);
    if (!subscription) return;
    if (PASSING.has(code)) {
      if (code === "position_unknown") subscription.after = undefined; // another history than the one we followed
      this.around.later(() => this.askAgain(subscription), ASK_AGAIN_MS * (0.5 + this.around.random()));
      return;
    }
    this.subscriptions.delete(subscription.id);
    subscription.follower.onRefused?.(code);
  }

  private askAgain(subscription: Subscription): void {
    if (this.status === "open" && this.subscriptions.has(subscription.id)) this.ask(subscription);
  }

  private ask({ id, request, after }: Subscription): void {
    this.say({ type: "subscribe", id, ...request, ...(after !== undefined && { after }) });
  }

  private say(message: object): void {
    this.socket?.send(JSON.stringify(message));
  }

  private beat(): void {
    this.around.cancel(this.timer);
    this.timer = this.around.later(() => this.ping(), PING_EVERY_MS);
  }

  private ping(): void {
    this.pingSentAt = this.around.now();
    this.say({ type: "ping" });
    this.timer = this.around.later(() => this.lose(), PONG_WITHIN_MS);
  }

  private lose(afterMs?: number): void {
    this.drop();
    if (this.subscriptions.size === 0) {
      this.become("idle");
      return;
    }
    this.become("lost");
    const backoff = Math.min(BACKOFF_FIRST_MS * 2 ** this.failures, BACKOFF_MAX_MS);
    this.failures += 1;
    const wait = (afterMs ?? 0) + backoff * (0.5 + this.around.random() / 2);
    this.timer = this.around.later(() => this.connect(), wait);
  }

  private stop(): void {
    this.drop();
    this.failures = 0;
    this.become("idle");
  }

  /** Lets go of the socket without hearing from it again. */
  private drop(): void {
    this.around.cancel(this.timer);
    const socket = this.socket;
    this.socket = undefined;
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close(1000);
  }

  private become(status: Status): void {
    if (this.status === status) return;
    this.status = status;
    for (const listener of this.listeners) listener();
  }
}
