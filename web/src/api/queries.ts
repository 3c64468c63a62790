import { infiniteQueryOptions, QueryCache, QueryClient, queryOptions } from "@tanstack/react-query";
import { type Hold, http } from "./client";
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
