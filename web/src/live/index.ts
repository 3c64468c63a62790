import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useReducer, useSyncExternalStore } from "react";
import { http } from "../api/client";
import { notePosition } from "../api/position";
import { queries } from "../api/queries";
import { type Remaining, remaining, ServerClock, untilNextTick } from "./clock";
import { LiveConnection, type Socket, type Status, SUBPROTOCOL } from "./connection";
import type { MeDelta } from "./protocol";

/** The server's clock and the one live connection of this page. */
export const clock = new ServerClock();

export const live = new LiveConnection(
  {
    open: () =>
      new WebSocket(new URL("/v1/live", location.href.replace(/^http/, "ws")), SUBPROTOCOL) as unknown as Socket,
    now: Date.now,
    random: Math.random,
    later: (run, ms) => setTimeout(run, ms),
    cancel: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
  },
  clock,
);

/** Asks for the server's time once, before anything counts down. */
export async function readServerTime(): Promise<void> {
  const sentAt = Date.now();
  try {
    const { data } = await http.GET("/v1/time");
    if (data) clock.sample(data.now, sentAt);
  } catch {
    // the live connection tells the time too, and until then the local clock serves
  }
}

/** Wakes the connection when the device is back online or the page is in front again. */
export function watchDevice(): void {
  addEventListener("online", () => live.wake());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") live.wake();
  });
}

export function useLiveStatus(): Status {
  return useSyncExternalStore(live.onStatus, live.getStatus);
}

export function useOnline(): boolean {
  return useSyncExternalStore(
    (listener) => {
      addEventListener("online", listener);
      addEventListener("offline", listener);
      return () => {
        removeEventListener("online", listener);
        removeEventListener("offline", listener);
      };
    },
    () => navigator.onLine,
  );
}

/** What is left until a moment by the server's clock; renders again at each second. */
export function useRemaining(until: string | undefined): Remaining | undefined {
  const deadline = until === undefined ? undefined : Date.parse(until);
  const [, tick] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    if (deadline === undefined) return;
    let timer: ReturnType<typeof setTimeout>;
    const arm = () => {
      timer = setTimeout(
        () => {
          tick();
          if (clock.now() < deadline) arm();
        },
        untilNextTick(deadline, clock.now()) + 8, // a little past the second, so that the new one shows
      );
    };
    arm();
    return () => clearTimeout(timer);
  }, [deadline]);
  return deadline === undefined ? undefined : remaining(deadline, clock.now());
}

/** Which of one's own things an event touches: the second part of their query keys. */
const TOUCHES: Record<string, readonly string[]> = {
  QueueJoined: ["line", "invitations"],
  EntryCalled: ["line"],
  EntryAdmitted: ["line"],
  EvictionOrdered: ["line"],
  EntryDeparted: ["line"],
  PartyFormed: ["invitations"],
  FriendInvited: ["invitations"],
  InvitationAccepted: ["invitations"],
  InvitationDeclined: ["invitations"],
  InvitationWithdrawn: ["invitations"],
  MemberJoined: ["invitations"],
  MemberLeft: ["invitations"],
  MemberExpelled: ["invitations"],
  LeaderChanged: ["invitations"],
  PartyThawed: ["invitations"],
  PartyEnded: ["invitations"],
  PartyFrozen: ["invitations", "line"],
  SeatsHeld: ["hold"],
  HoldExtended: ["hold"],
  HoldReleased: ["hold"],
  SeatClaimed: ["hold"],
  SeatsBooked: ["hold", "bookings"],
  SharesOpened: ["hold", "bookings", "shares"],
  SharesReseated: ["bookings", "tickets", "shares"],
  PaymentStarted: ["bookings"],
  PaymentFailed: ["bookings"],
  SeatsSold: ["bookings", "tickets", "wallet", "shares"],
  BookingCancelled: ["bookings", "tickets", "shares"],
  RefundDue: ["bookings"],
  RefundCompleted: ["bookings", "wallet"],
  FriendRequested: ["friends", "companions"],
  FriendDismissed: ["friends", "companions"],
  SuggestionsAllowed: ["friends"],
  WalletOpened: ["wallet"],
  WalletCharged: ["wallet"],
  WalletRefunded: ["wallet"],
};

/** Which of one's own queries an event makes stale; one that isn't known touches everything. */
export function touchedBy(event: string): readonly string[] | undefined {
  return TOUCHES[event];
}

function refresh(client: QueryClient, kinds: readonly string[] | undefined): void {
  if (!kinds) void client.invalidateQueries({ queryKey: ["mine"] });
  for (const kind of kinds ?? []) void client.invalidateQueries({ queryKey: ["mine", kind] });
}

/** While signed in: whatever happens to me anywhere makes my queries ask again, for at least that position. */
export function useMyEvents(): void {
  const client = useQueryClient();
  const account = useQuery(queries.me()).data?.account_id;
  useEffect(() => {
    if (!account) return;
    return live.follow(
      { topic: "me" },
      {
        onMessage(kind, body, position) {
          notePosition(position);
          refresh(client, kind === "delta" ? touchedBy((body as unknown as MeDelta).event) : undefined);
        },
        // our session has ended elsewhere: the page finds out who we are
        onRefused: () => void client.invalidateQueries({ queryKey: ["me"] }),
      },
    );
  }, [account, client]);
}
