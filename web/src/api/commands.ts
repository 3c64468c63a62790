import { http, type Pays, type Wishes } from "./client";
import { forgetPositions } from "./position";
import { read, send } from "./send";
import { uuidv7 } from "./uuid";

// Each command makes its Idempotency-Key and the ids of what it creates once; every try carries the same ones.

/** By account or by exact nickname. */
type Someone = { account_id: string } | { nickname: string };

const withKey = (key: string) => ({ "Idempotency-Key": key });

export const commands = {
  /** Signing up is keyed by the e-mail address, so it needs no Idempotency-Key. */
  signUp: (email: string, password: string, nickname: string | undefined) =>
    send("", () =>
      http.POST("/v1/accounts", {
        params: { path: {} } as never,
        body: { email, password, ...(nickname && { nickname }) },
      }),
    ),

  signIn: (email: string, password: string) =>
    send("", () => http.POST("/v1/sessions", { params: { path: {} } as never, body: { email, password } })),

  async signOut(): Promise<void> {
    await read(http.DELETE("/v1/sessions/current"));
    forgetPositions();
  },

  invite: (performance: string, party: string, friend: Someone) =>
    send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/parties/{party}/invitations", {
        params: { path: { performance, party }, header: withKey(key) },
        body: friend,
      }),
    ),

  /** Asks to be friends, or says yes to being asked. */
  requestFriend: (friend: Someone) =>
    send(uuidv7(), (key) => http.POST("/v1/me/friends", { params: { header: withKey(key) }, body: friend })),

  /** Declines, takes a request back, or ends a friendship. */
  dismissFriend: (account: string) =>
    send(uuidv7(), (key) =>
      http.POST("/v1/me/friends/{account}/dismiss", { params: { path: { account }, header: withKey(key) } }),
    ),

  allowSuggestions: (allowed: boolean) =>
    send(uuidv7(), (key) => http.POST("/v1/me/suggestions", { params: { header: withKey(key) }, body: { allowed } })),

  formParty: (performance: string, party_id: string, pays: Pays) =>
    send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/parties", {
        params: { path: { performance }, header: withKey(key) },
        body: { party_id, pays },
      }),
    ),

  joinParty: (performance: string, party: string) =>
    send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/parties/{party}/join", {
        params: { path: { performance, party }, header: withKey(key) },
      }),
    ),

  expel: (performance: string, party: string, account: string) =>
    send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/parties/{party}/members/{account}/expel", {
        params: { path: { performance, party, account }, header: withKey(key) },
      }),
    ),

  claimSeat: (performance: string, hold: string, seat: number) =>
    send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/holds/{hold}/claim", {
        params: { path: { performance, hold }, header: withKey(key) },
        body: { seat },
      }),
    ),

  answerInvitation: (performance: string, party: string, answer: "accept" | "decline" | "leave") =>
    send(uuidv7(), (key) =>
      http.POST(`/v1/performances/{performance}/parties/{party}/${answer}`, {
        params: { path: { performance, party }, header: withKey(key) },
      }),
    ),

  joinLine: (performance: string, party: string | undefined) => {
    const entry_id = uuidv7();
    return send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/line", {
        params: { path: { performance }, header: withKey(key) },
        body: { entry_id, ...(party && { party_id: party }) },
      }),
    );
  },

  claimPass: (performance: string) =>
    send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/line/claim", {
        params: { path: { performance }, header: withKey(key) },
      }),
    ),

  leaveLine: (performance: string) =>
    send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/line/leave", {
        params: { path: { performance }, header: withKey(key) },
      }),
    ),

  /** Whether a line moves: for those who run it. */
  steerLine: (performance: string, what: "pause" | "resume" | "drain", reason: string) =>
    send(uuidv7(), (key) =>
      http.POST(`/v1/performances/{performance}/line/${what}`, {
        params: { path: { performance }, header: withKey(key) },
        body: { reason },
      }),
    ),

  /** Other limits; without a rate, as many are called as there are places. */
  limitLine: (performance: string, capacity: number, rate: number | undefined, reason: string) =>
    send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/line/limits", {
        params: { path: { performance }, header: withKey(key) },
        body: { capacity, reason, ...(rate !== undefined && { admissions_per_minute: rate }) },
      }),
    ),

  evict: (performance: string, account_id: string, reason: string) =>
    send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/line/evict", {
        params: { path: { performance }, header: withKey(key) },
        body: { account_id, reason },
      }),
    ),

  giveBeacon: (performance: string, value: string, source: string) =>
    send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/draw/beacon", {
        params: { path: { performance }, header: withKey(key) },
        body: { value, source },
      }),
    ),

  hold: (performance: string, seats: readonly number[]) => {
    const hold_id = uuidv7();
    return send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/holds", {
        params: { path: { performance }, header: withKey(key) },
        body: { hold_id, seats: [...seats] },
      }),
    );
  },

  /** The best seats for so many people; which, the server decides. */
  holdBest: (performance: string, wishes: Wishes) => {
    const hold_id = uuidv7();
    return send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/holds/best", {
        params: { path: { performance }, header: withKey(key) },
        body: { hold_id, wishes },
      }),
    );
  },

  extendHold: (performance: string, hold: string) =>
    send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/holds/{hold}/extend", {
        params: { path: { performance, hold }, header: withKey(key) },
      }),
    ),

  releaseHold: (performance: string, hold: string) =>
    send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/holds/{hold}/release", {
        params: { path: { performance, hold }, header: withKey(key) },
      }),
    ),

  book: (performance: string, hold: string) => {
    const booking_id = uuidv7();
    return send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/bookings", {
        params: { path: { performance }, header: withKey(key) },
        body: { booking_id, hold_id: hold },
      }),
    );
  },

  /** With SocketPay, or with a card by the token that its provider gave. */
  pay: (performance: string, booking: string, card_token?: string) => {
    const payment_id = uuidv7();
    const method = card_token === undefined ? "socketpay" : "card";
    return send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/bookings/{booking}/pay", {
        params: { path: { performance, booking }, header: withKey(key) },
        body: { payment_id, method, ...(card_token !== undefined && { card_token }) },
      }),
    );
  },

  cancel: (performance: string, booking: string) =>
    send(uuidv7(), (key) =>
      http.POST("/v1/performances/{performance}/bookings/{booking}/cancel", {
        params: { path: { performance, booking }, header: withKey(key) },
      }),
    ),
};
