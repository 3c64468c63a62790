import { useQuery } from "@tanstack/react-query";
import type { Booking } from "../api/client";
import { queries } from "../api/queries";
import { useFormat, useT } from "../i18n";
import { Failed } from "../ui/states";

/** How often the others' shares are looked at while one of them waits for money. */
const LOOK_MS = 3000;

/** Who of the party has paid their share, for those who pay one. */
export function Shares({ booking }: { booking: Booking }) {
  const t = useT();
  const format = useFormat();
  const { performance_id, booking_id } = booking;
  const shares = useQuery({
    ...queries.shares(performance_id, booking_id),
    enabled: booking.share_group !== undefined,
    refetchInterval: ({ state }) =>
      state.data?.shares.some((share) => share.state === "unpaid" || share.state === "paying") ? LOOK_MS : false,
  });
  const party = useQuery(queries.invitations()).data?.parties.find(
    ({ party_id }) => party_id === shares.data?.party_id,
  );
  if (shares.isError && !shares.data) return <Failed failure={shares.error} retry={() => void shares.refetch()} />;
  if (!shares.data) return null; // not a share, or not known yet
  return (
    <section className="rounded-card border border-line bg-panel p-5">
      <h2 className="font-bold text-lg">{t.together.shares}</h2>
      <ul aria-live="polite" className="mt-3 grid gap-2">
        {shares.data.shares.map(({ booking_id: id, account, state, total }) => (
          <li key={id} className="flex items-baseline justify-between gap-3">
            <span className="min-w-0 truncate font-semibold">{party?.nicknames[account] ?? "···"}</span>
            <span className="text-ink-2 text-sm">
              <span className="tnum">{format.won(total)}</span> · {t.together.shareStates[state]}
            </span>
          </li>
        ))}
      </ul>
      <p className="mt-3 text-ink-2 text-sm">{t.together.pays[shares.data.all_or_none ? "all_or_none" : "shares"]}</p>
    </section>
  );
}
