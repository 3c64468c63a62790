import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import type { Booking, CategoryPrice, Hold, Wishes } from "../api/client";
import { commands } from "../api/commands";
import { queries } from "../api/queries";
import { live } from "../live";
import type { SeatsDelta, SeatsSnapshot } from "../live/protocol";
import { Holder, type HoldView } from "./holder";
import { type Plan, Venue } from "./plan";
import { SeatStore } from "./store";

/** The seats of a performance, kept current by the live connection. */
export function useSeatStore(performance: string, plan: Plan, prices: readonly CategoryPrice[]): SeatStore {
  const store = useMemo(() => new SeatStore(new Venue(plan, prices)), [plan, prices]);
  useEffect(
    () =>
      live.follow(
        { topic: "seats", performance },
        {
          onMessage(kind, body, position) {
            if (kind === "snapshot") store.snapshot((body as unknown as SeatsSnapshot).seats, position);
            else store.apply((body as unknown as SeatsDelta).changes, position);
          },
        },
      ),
    [performance, store],
  );
  return store;
}

/** The same object as long as its content is the same: what is fetched again need not be built again. */
export function useStable<T>(value: T): T {
  const kept = useRef(value);
  if (JSON.stringify(kept.current) !== JSON.stringify(value)) kept.current = value;
  return kept.current;
}

/** Renders again with every change anywhere in the venue. */
export function useStoreVersion(store: SeatStore): number {
  return useSyncExternalStore(store.subscribe, store.version);
}

/** Renders again when something changes in that row. */
export function useRowVersion(store: SeatStore, row: number): number {
  return useSyncExternalStore(store.subscribe, () => store.rowVersion(row));
}

export interface Holding extends HoldView {
  holder: Holder;
  /** Holds the best seats for so many people. */
  best: (wishes: Wishes) => Promise<void>;
}

/** One's own hold: taps become commands, and what the server says elsewhere is taken over. */
export function useHolding(
  performance: string,
  signedIn: boolean,
  onFailure: (failure: unknown, asked: readonly number[]) => void,
  onLost: (hold: Hold) => void,
): Holding {
  const client = useQueryClient();
  const [view, setView] = useState<HoldView>({ hold: null, pending: [] });
  const failed = useRef(onFailure);
  failed.current = onFailure;
  const lost = useRef(onLost);
  lost.current = onLost;

  const holder = useMemo(() => {
    const key = queries.hold(performance).queryKey;
    const keep = async (hold: Hold | null) => {
      await client.cancelQueries({ queryKey: key }); // an answer under way is older than this one
      client.setQueryData(key, hold);
    };
    return new Holder(
      {
        async hold(seats) {
          const hold = await commands.hold(performance, seats);
          await keep(hold);
          return hold;
        },
        async release(hold) {
          await commands.releaseHold(performance, hold);
          await keep(null);
        },
      },
      setView,
      (failure, asked) => failed.current(failure, asked),
      (hold) => lost.current(hold),
    );
  }, [performance, client]);

  const best = useCallback(
    (wishes: Wishes) =>
      holder.choose(async () => {
        const key = queries.hold(performance).queryKey;
        const hold = await commands.holdBest(performance, wishes);
        await client.cancelQueries({ queryKey: key });
        client.setQueryData(key, hold);
        return hold;
      }),
    [performance, client, holder],
  );

  const told = useQuery({ ...queries.hold(performance), enabled: signedIn }).data;
  useEffect(() => {
    if (told !== undefined) holder.adopt(told);
  }, [told, holder]);
  return { ...view, holder, best };
}

/** The seats of this performance that are mine for good: booked or bought by me, or a friend's booking's ticket. */
export function bookedSeats(bookings: readonly Booking[] | undefined, performance: string): number[] {
  return (bookings ?? [])
    .filter((one) => one.performance_id === performance && ["unpaid", "paying", "paid"].includes(one.state))
    .flatMap(({ lines }) => lines.map(({ seat }) => seat));
}
