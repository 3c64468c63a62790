import { infiniteQueryOptions, QueryCache, QueryClient, queryOptions } from "@tanstack/react-query";
import { type Hold, http, type Wishes } from "./client";
import { forgetPositions, minPosition } from "./position";
import { isProblem, Problem } from "./problem";
import { read, waitMs, worthRetrying } from "./send";

const RETRIES_MAX = 4;
/** Entries of a list asked for at once. */
const PAGE = 60;

/** A passing failure is asked again; a refusal stands. */
function askAgain(failures: number, error: Error): boolean {
  if (isProblem(error, "position_unknown")) forgetPositions(); // another log than the one we wrote to: start afresh
  return failures < RETRIES_MAX && (worthRetrying(error) || isProblem(error, "position_unknown"));
}

export function makeQueryClient(): QueryClient {
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({
      onError: (failure, { queryKey }) => {
        // The session has ended: the page finds out who we are, and shows it.
        if (queryKey[0] !== "me" && isProblem(failure, "unauthenticated", "session_expired")) {
          void client.invalidateQueries(queries.me());
        }
      },
    }),
    defaultOptions: {
      queries: {
        retry: askAgain,
        retryDelay: (failures, error) => waitMs(error, failures + 1, Math.random()),
        staleTime: 5_000,
        refetchOnWindowFocus: true,
        networkMode: "always", // `navigator.onLine` is a guess; the request itself tells
      },
    },
  });
  return client;
}

const FIRST = undefined as string | undefined;

/** A page of a list: as many entries as the server gives at once at most. */
function page(cursor: string | undefined): { limit: number; cursor?: string } {
  return { limit: PAGE, ...(cursor !== undefined && { cursor }) };
}

/** Missing is an answer, not an error. */
async function orNull<T>(request: Promise<T>, ...codes: string[]): Promise<T | null> {
  try {
    return await request;
  } catch (failure) {
    if (failure instanceof Problem && codes.includes(failure.code)) return null;
    throw failure;
  }
}

export const queries = {
  me: () =>
    queryOptions({
      queryKey: ["me"],
      queryFn: ({ signal }) => orNull(read(http.GET("/v1/me", { signal })), "unauthenticated", "session_expired"),
      staleTime: 60_000,
    }),

  shows: () =>
    infiniteQueryOptions({
      queryKey: ["shows"],
      queryFn: ({ signal, pageParam }) =>
        read(http.GET("/v1/shows", { params: { query: { ...minPosition(), ...page(pageParam) } }, signal })),
      initialPageParam: FIRST,
      getNextPageParam: ({ next }) => next,
    }),

  show: (show: string) =>
    queryOptions({
      queryKey: ["show", show],
      queryFn: ({ signal }) =>
        read(http.GET("/v1/shows/{show}", { params: { path: { show }, query: minPosition() }, signal })),
    }),

  performance: (performance: string) =>
    queryOptions({
      queryKey: ["performance", performance],
      queryFn: ({ signal }) =>
        read(
          http.GET("/v1/performances/{performance}", {
            params: { path: { performance }, query: minPosition() },
            signal,
          }),
        ),
    }),

  plan: (hash: string) =>
    queryOptions({
      queryKey: ["plan", hash],
      queryFn: ({ signal }) => read(http.GET("/v1/plans/{plan}", { params: { path: { plan: hash } }, signal })),
      staleTime: Number.POSITIVE_INFINITY, // a plan never changes: it is named by its hash
      gcTime: 30 * 60_000,
    }),

  line: (performance: string) =>
    queryOptions({
      queryKey: ["mine", "line", performance],
      queryFn: ({ signal }) =>
        orNull(
          read(
            http.GET("/v1/performances/{performance}/line/me", {
              params: { path: { performance }, query: minPosition() },
              signal,
            }),
          ),
          "not_in_line",
          "unauthenticated",
        ),
    }),

  /** Why one is where one is, signed; nothing if one never had a place in this line. */
  why: (performance: string) =>
    queryOptions({
      queryKey: ["mine", "line", performance, "why"],
      queryFn: ({ signal }) =>
        orNull(
          read(
            http.GET("/v1/performances/{performance}/line/why", {
              params: { path: { performance }, query: minPosition() },
              signal,
            }),
          ),
          "not_in_line",
        ),
    }),

  /** A signed receipt for one's place in the line. */
  receipt: (performance: string) =>
    queryOptions({
      queryKey: ["mine", "line", performance, "receipt"],
      queryFn: ({ signal }) =>
        read(http.GET("/v1/performances/{performance}/line/receipt", { params: { path: { performance } }, signal })),
    }),

  /** Up to five blocks of seats that are free, the best first. */
  find: (performance: string, wishes: Wishes) =>
    queryOptions({
      queryKey: ["find", performance, wishes],
      queryFn: ({ signal }) => {
        const { people, category, area } = wishes;
        const query = {
          people,
          ...(category != null && { category }),
          ...(area != null && { area }),
          ...minPosition(),
        };
        return read(
          http.GET("/v1/performances/{performance}/find", { params: { path: { performance }, query }, signal }),
        );
      },
      staleTime: 0, // others choose meanwhile
    }),

  hold: (performance: string) =>
    queryOptions({
      queryKey: ["mine", "hold", performance],
      queryFn: ({ signal }): Promise<Hold | null> =>
        orNull(
          read(http.GET("/v1/performances/{performance}/holds/mine", { params: { path: { performance } }, signal })),
          "unknown_hold",
          "unauthenticated",
        ),
    }),

  bookings: () =>
    infiniteQueryOptions({
      queryKey: ["mine", "bookings"],
      queryFn: ({ signal, pageParam }) =>
        read(http.GET("/v1/me/bookings", { params: { query: { ...minPosition(), ...page(pageParam) } }, signal })),
      initialPageParam: FIRST,
      getNextPageParam: ({ next }) => next,
    }),

  tickets: () =>
    infiniteQueryOptions({
      queryKey: ["mine", "tickets"],
      queryFn: ({ signal, pageParam }) =>
        read(http.GET("/v1/me/tickets", { params: { query: { ...minPosition(), ...page(pageParam) } }, signal })),
      initialPageParam: FIRST,
      getNextPageParam: ({ next }) => next,
    }),

  invitations: () =>
    queryOptions({
      queryKey: ["mine", "invitations"],
      queryFn: ({ signal }) => read(http.GET("/v1/me/invitations", { params: { query: minPosition() }, signal })),
    }),

  friends: () =>
    queryOptions({
      queryKey: ["mine", "friends"],
      queryFn: ({ signal }) => read(http.GET("/v1/me/friends", { params: { query: minPosition() }, signal })),
    }),

  /** Who was in a party with me lately. */
  companions: () =>
    queryOptions({
      queryKey: ["mine", "companions"],
      queryFn: ({ signal }) => read(http.GET("/v1/me/companions", { params: { query: minPosition() }, signal })),
    }),

  /** Who is here too and allows being suggested. */
  suggestions: (performance: string) =>
    queryOptions({
      queryKey: ["mine", "suggestions", performance],
      queryFn: ({ signal }) =>
        read(
          http.GET("/v1/performances/{performance}/suggestions", {
            params: { path: { performance }, query: minPosition() },
            signal,
          }),
        ),
      staleTime: 30_000,
    }),

  /** Whose friends link it is; nothing if there is no such person. */
  friendLink: (account_id: string) =>
    queryOptions({
      queryKey: ["mine", "friend-link", account_id],
      queryFn: ({ signal }) =>
        orNull(
          read(http.GET("/v1/people", { params: { query: { account_id } }, signal })),
          "unknown_account",
          "invalid_query",
        ),
      staleTime: 60_000,
    }),

  /** What a party's link shows; nothing if there is no such party. */
  partyLink: (performance: string, party: string) =>
    queryOptions({
      queryKey: ["party", performance, party],
      queryFn: ({ signal }) =>
        orNull(
          read(
            http.GET("/v1/performances/{performance}/parties/{party}", {
              params: { path: { performance, party }, query: minPosition() },
              signal,
            }),
          ),
          "unknown_party",
          "invalid_id",
        ),
    }),

  /** A performance's draw as far as it is public; nothing if it has none. */
  draw: (performance: string) =>
    queryOptions({
      queryKey: ["draw", performance],
      queryFn: ({ signal }) =>
        orNull(
          read(
            http.GET("/v1/performances/{performance}/draw", {
              params: { path: { performance }, query: minPosition() },
              signal,
            }),
          ),
          "no_draw",
        ),
    }),

  /** How a line stands and what was done to it: for those who run it. */
  steering: (performance: string) =>
    queryOptions({
      queryKey: ["mine", "steering", performance],
      queryFn: ({ signal }) =>
        read(
          http.GET("/v1/performances/{performance}/line/steering", {
            params: { path: { performance }, query: minPosition() },
            signal,
          }),
        ),
    }),

  /** How a sale goes: for those who run it. */
  sales: (performance: string) =>
    queryOptions({
      queryKey: ["mine", "sales", performance],
      queryFn: ({ signal }) =>
        read(
          http.GET("/v1/performances/{performance}/sales", {
            params: { path: { performance }, query: minPosition() },
            signal,
          }),
        ),
    }),

  /** Someone by their whole nickname. */
  person: (nickname: string) =>
    queryOptions({
      queryKey: ["person", nickname],
      queryFn: ({ signal }) => read(http.GET("/v1/people", { params: { query: { nickname } }, signal })),
    }),

  statementKey: () =>
    queryOptions({
      queryKey: ["statement-key"],
      queryFn: ({ signal }) => read(http.GET("/v1/statement-key", { signal })),
      staleTime: 10 * 60_000, // it changes with the system, if ever
    }),

  shares: (performance: string, booking: string) =>
    queryOptions({
      queryKey: ["mine", "shares", performance, booking],
      queryFn: ({ signal }) =>
        read(
          http.GET("/v1/performances/{performance}/bookings/{booking}/shares", {
            params: { path: { performance, booking } },
            signal,
          }),
        ),
    }),

  wallet: () =>
    queryOptions({
      queryKey: ["mine", "wallet"],
      queryFn: ({ signal }) => read(http.GET("/v1/me/wallet", { params: { query: minPosition() }, signal })),
    }),

  paymentMethods: () =>
    queryOptions({
      queryKey: ["payment-methods"],
      queryFn: ({ signal }) => read(http.GET("/v1/payment-methods", { signal })),
      staleTime: 10 * 60_000, // they change with the server's configuration
    }),

  payment: (performance: string, booking: string, payment: string) =>
    queryOptions({
      queryKey: ["mine", "payment", payment],
      queryFn: ({ signal }) =>
        read(
          http.GET("/v1/performances/{performance}/bookings/{booking}/payments/{payment}", {
            params: { path: { performance, booking, payment } },
            signal,
          }),
        ),
    }),
};

/** Tickets of a draw in one answer, at most. */
export const TICKETS_PAGE = 10_000;

/** The tickets of a draw after so many, in the order that it gave them. */
export async function drawTickets(performance: string, after: number, signal: AbortSignal): Promise<string[]> {
  const { tickets } = await read(
    http.GET("/v1/performances/{performance}/draw/tickets", {
      params: { path: { performance }, query: { after, limit: TICKETS_PAGE } },
      signal,
    }),
  );
  return tickets;
}
