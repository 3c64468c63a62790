import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import type { Booking } from "../api/client";
import { queries } from "../api/queries";

/** One's bookings, as far as they are loaded. */
export function useBookings(options: { enabled?: boolean; refetchInterval?: number } = {}) {
  const query = useInfiniteQuery({ ...queries.bookings(), ...options });
  return { ...query, bookings: query.data?.pages.flatMap(({ bookings }) => bookings) };
}

/**
 * One booking out of the list, however far down it stands: `undefined` while it is looked for, `null` once it is known
 * that there is no such one.
 */
export function useBooking(id: string, refetchInterval?: number) {
  const query = useBookings(refetchInterval === undefined ? {} : { refetchInterval });
  const { bookings, hasNextPage, isFetching, fetchNextPage } = query;
  const found = bookings?.find(({ booking_id }) => booking_id === id);
  const goOn = bookings !== undefined && !found && hasNextPage && !isFetching;
  useEffect(() => {
    if (goOn) void fetchNextPage();
  }, [goOn, fetchNextPage]);
  const booking: Booking | null | undefined = found ?? (bookings === undefined || hasNextPage ? undefined : null);
  return { ...query, booking };
}
