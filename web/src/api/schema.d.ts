// Provisional: replaced by `npm run api`.
type Json<T> = { headers: { [name: string]: unknown }; content: { "application/json": T } };
type Bad = { headers: { [name: string]: unknown }; content: { "application/problem+json": Record<string, unknown> } };
type Params<P, Q, H> = { query?: Q; cookie?: never } & (keyof P extends never ? { path?: never } : { path: P }) & (keyof H extends never ? { header?: never } : { header: H });
type Op<P, Q, H, B, R, S extends number = 200> = {
  parameters: Params<P, Q, H>;
  responses: { [s in S]: Json<R> } & { default: Bad };
} & (B extends undefined ? { requestBody?: never } : { requestBody: { content: { "application/json": B } } });
type Get<P, R, Q = {}> = { parameters: {}; get: Op<P, Q & { min_position?: number }, {}, undefined, R>; post?: never; delete?: never };
type Post<P, B, R, S extends number = 200> = { parameters: {}; get?: never; post: Op<P, {}, { "Idempotency-Key": string }, B, R, S>; delete?: never };
type P = { performance: string };

export interface components {
  schemas: {
    Text: { ko: string; en?: string };
    CategoryPrice: { category: string; price: number };
    Policies: { seats_per_person: number; hold_seconds: number; payment_seconds: number; capacity: number; session_seconds: number };
    ShowSummary: { show_id: string; title: components["schemas"]["Text"]; venue: components["schemas"]["Text"]; sale_opens_at: string; performances: { performance_id: string; starts_at: string; seats?: number; free?: number }[]; prices: components["schemas"]["CategoryPrice"][] };
    Show: components["schemas"]["ShowSummary"] & { policies: components["schemas"]["Policies"]; plan: string; position: number };
    Remaining: { category: string; price: number; seats: number; free: number };
    Performance: { performance_id: string; show_id: string; title: components["schemas"]["Text"]; venue: components["schemas"]["Text"]; plan: string; starts_at: string; sale_opens_at: string; policies: components["schemas"]["Policies"]; prices: components["schemas"]["CategoryPrice"][]; remaining: components["schemas"]["Remaining"][]; position: number };
    Session: { account_id: string; nickname: string; role: string; expires_at: string };
    Me: { account_id: string; email: string; nickname: string; role: string };
    Wallet: { balance: number; position: number };
    LineView: { entry_id: string; number: number; state: "waiting" | "inside"; ahead: number; waiting: number; session_ends_at?: string; party_id?: string; members: string[]; position: number };
    EntryReply: { entry_id: string; number: number; state: "waiting" | "inside"; ahead: number; session_ends_at?: string; party_id?: string; members: string[]; position: number };
    PartyReply: { party_id: string; performance_id: string; leader: string; members: string[]; invited: string[]; frozen: boolean; position: number };
    HoldReply: { hold_id: string; seats: number[]; expires_at: string; total: number; members: string[]; position: number };
    LiveHold: { hold_id: string; account: string; seats: number[]; expires_at: string; members: string[]; extended: boolean; position: number };
    BookingReply: { booking_id: string; state: components["schemas"]["BookingState"]; lines: { seat: number; price: number; holder: string }[]; total: number; pay_by: string; position: number };
    PaymentReply: { payment_id: string; booking_id: string; state: "in_flight" | "succeeded" | "failed"; reason?: string; amount: number; position: number };
    BookingState: "unpaid" | "paying" | "paid" | "cancelled" | "expired";
    BookingLine: { seat: number; area: string; row: string; number: string; price: number; holder: string; holder_nickname?: string; mine: boolean };
    Booking: { booking_id: string; performance_id: string; show_id: string; title: components["schemas"]["Text"]; venue: components["schemas"]["Text"]; starts_at: string; state: components["schemas"]["BookingState"]; total: number; paid: number; pay_by: string; payment_id?: string; payment_failure?: string; refund_amount?: number; refund_state?: "due" | "completed"; lines: components["schemas"]["BookingLine"][] };
    Ticket: { booking_id: string; performance_id: string; show_id: string; title: components["schemas"]["Text"]; venue: components["schemas"]["Text"]; starts_at: string; seat: number; area: string; row: string; number: string; price: number; buyer_nickname?: string };
    Party: { party_id: string; performance_id: string; title?: components["schemas"]["Text"]; starts_at?: string; leader: string; frozen: boolean; members: string[]; invited: string[]; nicknames: { [account: string]: string }; entry_id?: string };
    Invitation: { party_id: string; performance_id: string; title?: components["schemas"]["Text"]; starts_at?: string; leader_nickname?: string; state: "invited" | "closed" | "declined" | "left" };
  };
}
type S = components["schemas"];

export interface paths {
  "/v1/time": Get<{}, { now: string }>;
  "/v1/shows": Get<{}, { shows: S["ShowSummary"][]; next?: string; position: number }, { limit?: number; cursor?: string }>;
  "/v1/shows/{show}": Get<{ show: string }, S["Show"]>;
  "/v1/plans/{hash}": Get<{ hash: string }, Record<string, unknown>>;
  "/v1/performances/{performance}": Get<P, S["Performance"]>;
  "/v1/performances/{performance}/line/me": Get<P, S["LineView"]>;
  "/v1/me": Get<{}, S["Me"]>;
  "/v1/me/wallet": Get<{}, S["Wallet"]>;
  "/v1/me/bookings": Get<{}, { bookings: S["Booking"][]; next?: string; position: number }, { limit?: number; cursor?: string }>;
  "/v1/me/tickets": Get<{}, { tickets: S["Ticket"][]; next?: string; position: number }, { limit?: number; cursor?: string }>;
  "/v1/me/invitations": Get<{}, { invitations: S["Invitation"][]; parties: S["Party"][]; position: number }, { performance?: string; limit?: number; cursor?: string }>;
  "/v1/accounts": Post<{}, { email: string; password: string; nickname?: string }, S["Session"] & { position: number }, 201>;
  "/v1/sessions": Post<{}, { email: string; password: string }, S["Session"]>;
  "/v1/sessions/current": { parameters: {}; get?: never; post?: never; delete: Op<{}, {}, {}, undefined, never, 204> };
  "/v1/performances/{performance}/parties/{party}/invitations": Post<P & { party: string }, { nickname: string }, S["PartyReply"]>;
  "/v1/performances/{performance}/parties/{party}/accept": Post<P & { party: string }, undefined, S["PartyReply"]>;
  "/v1/performances/{performance}/parties/{party}/decline": Post<P & { party: string }, undefined, S["PartyReply"]>;
  "/v1/performances/{performance}/parties/{party}/leave": Post<P & { party: string }, undefined, S["PartyReply"]>;
  "/v1/performances/{performance}/line": Post<P, { entry_id: string; party_id?: string }, S["EntryReply"]>;
  "/v1/performances/{performance}/line/leave": Post<P, undefined, { position: number }>;
  "/v1/performances/{performance}/holds": Post<P, { hold_id: string; seats: number[] }, S["HoldReply"], 201>;
  "/v1/performances/{performance}/holds/mine": Get<P, S["LiveHold"]>;
  "/v1/performances/{performance}/holds/{hold}/extend": Post<P & { hold: string }, undefined, S["HoldReply"]>;
  "/v1/performances/{performance}/holds/{hold}/release": Post<P & { hold: string }, undefined, { position: number }>;
  "/v1/performances/{performance}/bookings": Post<P, { booking_id: string; hold_id: string }, S["BookingReply"], 201>;
  "/v1/performances/{performance}/bookings/{booking}/pay": Post<P & { booking: string }, { payment_id: string; method: "socketpay" }, S["PaymentReply"]>;
  "/v1/performances/{performance}/bookings/{booking}/cancel": Post<P & { booking: string }, undefined, S["BookingReply"]>;
  "/v1/performances/{performance}/bookings/{booking}/payments/{payment}": Get<P & { booking: string; payment: string }, S["PaymentReply"]>;
}
