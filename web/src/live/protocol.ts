// The messages of the subprotocol `socketing.v1.json`.

/** What can be followed: the seats of a performance, its line, or everything about one's own account. */
export type Topic = "seats" | "line" | "me";

/** The line's counters. A client knows its own number, and finds its place from these. */
export interface LineCounters {
  waiting: number;
  inside: number;
  /** The highest number called so far. */
  admitted_number: number;
  /** How many were called so far. */
  admitted: number;
  /** The highest number given so far. */
  joined_number: number;
  capacity: number;
  /** In the lobby and while it is drawn, nobody in it has a number yet. */
  phase: "lobby" | "drawing" | "line";
}

/** State of each seat, one ASCII digit in the plan's order: 0 free, 1 held, 2 being paid, 3 sold. */
export interface SeatsSnapshot {
  seats: string;
}

export interface SeatsDelta {
  changes: [seat: number, state: number][];
}

export interface LineSnapshot extends LineCounters {
  /** How many wait with a lower number than the one that was given when subscribing. */
  ahead?: number;
}

export interface LineDelta extends LineCounters {
  /** As in the snapshot, where the server counted. */
  ahead?: number;
  /** Numbers of waiting places that were given up since the last message. */
  departed?: number[];
}

export interface MeDelta {
  event: string;
  performance?: string;
  data: Record<string, unknown>;
}

export type ServerMessage =
  | { type: "hello"; now: string; position: number }
  | ({ type: "snapshot"; id: number; position: number } & Record<string, unknown>)
  | ({ type: "delta"; id: number; position: number } & Record<string, unknown>)
  | { type: "error"; id?: number; code: string; detail?: string }
  | { type: "pong"; now: string }
  | { type: "reconnect"; after_ms: number };

/** The message in a text frame, or nothing if it isn't one that this page knows. */
export function parseMessage(text: string): ServerMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const message = value as { type?: unknown; id?: unknown; position?: unknown };
  switch (message?.type) {
    case "snapshot":
    case "delta":
      return typeof message.id === "number" && typeof message.position === "number"
        ? (value as ServerMessage)
        : undefined;
    case "hello":
    case "error":
    case "pong":
    case "reconnect":
      return value as ServerMessage;
    default:
      return undefined;
  }
}
